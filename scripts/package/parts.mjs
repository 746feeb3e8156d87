// Which packages are part of the program: its dependencies, what is bundled into the window, and theirs in turn, as
// package-lock.json has them. Notices, bill of materials and the audit all follow from this one list.
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { root } from '../setup/say.mjs';

/** Development dependencies whose code the build puts into the window. */
const BUNDLED = ['svelte', 'chart.js'];

export function readJson(path) {
  return JSON.parse(readFileSync(path, 'utf8'));
}

/** The path in package-lock.json of a package as node would find it from the package at `from`, or undefined. */
function locate(lock, name, from) {
  for (let at = from; ; at = dirname(at)) {
    const path = at === '.' || at === '' ? `node_modules/${name}` : `${at}/node_modules/${name}`;
    if (path in lock) return path;
    if (at === '.' || at === '') return undefined;
  }
}

/**
 * All parts, sorted by name: { name, version, license, integrity, folder, dependsOn: ["name@version"] }. Optional
 * packages that this system has not are left out.
 */
export function partsOfProgram() {
  const { packages: lock } = readJson(join(root, 'package-lock.json'));
  const found = new Map();
  const add = (path) => {
    if (path === undefined || found.has(path) || !existsSync(join(root, path, 'package.json'))) return;
    const { version, integrity, license, dependencies = {}, optionalDependencies = {} } = lock[path];
    const next = Object.keys({ ...dependencies, ...optionalDependencies }).flatMap((name) => locate(lock, name, path) ?? []);
    const manifest = readJson(join(root, path, 'package.json'));
    if (manifest.version !== version) throw new Error(`${path} is ${manifest.version}, but package-lock.json says ${version}: run npm ci.`);
    found.set(path, { name: manifest.name, version, license: license ?? manifest.license, integrity, folder: join(root, path), next });
    next.forEach(add);
  };
  for (const name of [...Object.keys(lock[''].dependencies), ...BUNDLED]) add(locate(lock, name, ''));
  const idOf = ({ name, version }) => `${name}@${version}`;
  return [...found.values()]
    .map(({ next, ...part }) => ({ ...part, dependsOn: next.filter((path) => found.has(path)).map((path) => idOf(found.get(path))).sort() }))
    .sort((one, other) => one.name.localeCompare(other.name, 'en') || one.version.localeCompare(other.version, 'en'));
}
