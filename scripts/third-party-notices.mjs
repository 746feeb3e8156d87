// `npm run notices`: writes THIRD-PARTY-NOTICES.md from the licence files of every package that is part of the program:
// its dependencies, what is bundled into the window, and theirs in turn.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { root } from './setup/say.mjs';

/** Development dependencies whose code the build puts into the window. */
const BUNDLED = ['svelte', 'chart.js'];

const packages = new Map();

function readJson(path) {
  return JSON.parse(readFileSync(path, 'utf8'));
}

/** The folder of a package as node would find it from `folder`, or null when it isn't installed (optional ones). */
function find(name, folder) {
  for (let at = folder; at.length >= root.length; at = dirname(at)) {
    const candidate = join(at, 'node_modules', name);
    if (existsSync(join(candidate, 'package.json'))) return candidate;
  }
  return null;
}

function add(name, from) {
  const folder = find(name, from);
  if (folder === null || packages.has(folder)) return;
  const manifest = readJson(join(folder, 'package.json'));
  packages.set(folder, manifest);
  for (const next of Object.keys(manifest.dependencies ?? {})) add(next, folder);
}

/** Licence texts of a package, without those that it repeats. */
function textsOf(folder) {
  const files = readdirSync(folder).filter((file) => /^(licen[cs]e|notice|copying)/i.test(file)).sort();
  return files.map((file) => readFileSync(join(folder, file), 'utf8').replaceAll('\r\n', '\n').trim());
}

for (const name of [...Object.keys(readJson(join(root, 'package.json')).dependencies), ...BUNDLED]) add(name, root);

const sections = [...packages]
  .sort(([, one], [, other]) => one.name.localeCompare(other.name, 'en'))
  .map(([folder, { name, version, license }]) => {
    const texts = textsOf(folder).map((text) => `\n\`\`\`\`text\n${text}\n\`\`\`\`\n`);
    return `## ${name} ${version}\n\nLicence: ${license ?? 'see below'}\n${texts.join('')}`;
  });

const introduction = `# Third-party notices

Shear contains the packages below, each under its own licence. Electron and Chromium bring their licences in files of
their own beside the program (LICENSE.electron.txt, LICENSES.chromium.html). The licences of the example model and texts
are in resources/example. This file is written by \`npm run notices\`.
`;

writeFileSync(join(root, 'THIRD-PARTY-NOTICES.md'), [introduction, ...sections].join('\n'));
process.stderr.write(`shear: ${packages.size} packages named in THIRD-PARTY-NOTICES.md\n`);
