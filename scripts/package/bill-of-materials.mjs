// The software bill of materials of the packaged program: CycloneDX 1.6 (https://cyclonedx.org/docs/1.6/json/), made
// from package-lock.json and the Electron in place. The same sources give the same file: it has no time and no number.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { root } from '../setup/say.mjs';
import { partsOfProgram, readJson } from './parts.mjs';

/** Package URL (https://github.com/package-url/purl-spec): the scope's @ is escaped. */
function urlOf(name, version) {
  return `pkg:npm/${name.replace('@', '%40')}@${version}`;
}

function licencesOf(license) {
  if (license === undefined) return [];
  return [/ (OR|AND|WITH) /.test(license) ? { expression: license } : { license: { id: license } }];
}

function componentOf({ name, version, license, integrity = '' }) {
  const [, hash] = /^sha512-(.+)$/.exec(integrity) ?? [];
  const url = urlOf(name, version);
  return {
    type: 'library', 'bom-ref': url, name, version, purl: url,
    ...(hash === undefined ? {} : { hashes: [{ alg: 'SHA-512', content: Buffer.from(hash, 'base64').toString('hex') }] }),
    licenses: licencesOf(license),
  };
}

/** The bill as an object. */
export function billOfMaterials() {
  const parts = partsOfProgram();
  const { name, version, license, dependencies } = readJson(join(root, 'package.json'));
  const versionFile = join(root, 'node_modules', 'electron', 'dist', 'version');
  const electronVersion = existsSync(versionFile) ? readFileSync(versionFile, 'utf8').trim().replace(/^v/, '') : null;
  // Not npm's package, which only fetches it; no hash, as what it was unpacked from is not at hand.
  const electron = electronVersion === null ? [] : [{ type: 'framework', 'bom-ref': `electron@${electronVersion}`, name: 'electron', version: electronVersion, licenses: licencesOf('MIT') }];
  const own = `${name}@${version}`;
  const refOf = (id) => urlOf(id.slice(0, id.lastIndexOf('@')), id.slice(id.lastIndexOf('@') + 1));
  const direct = parts.filter((part) => part.name in dependencies || ['svelte', 'chart.js'].includes(part.name));
  return {
    bomFormat: 'CycloneDX', specVersion: '1.6', version: 1,
    metadata: { component: { type: 'application', 'bom-ref': own, name, version, licenses: licencesOf(license) } },
    components: [...electron, ...parts.map(componentOf)],
    dependencies: [
      { ref: own, dependsOn: [...electron.map((part) => part['bom-ref']), ...direct.map((part) => urlOf(part.name, part.version))] },
      ...parts.map((part) => ({ ref: urlOf(part.name, part.version), dependsOn: part.dependsOn.map(refOf) })),
    ],
  };
}

/** Writes it to out/sbom.cdx.json, from where it goes into packages. */
export function writeBillOfMaterials() {
  const path = join(root, 'out', 'sbom.cdx.json');
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, `${JSON.stringify(billOfMaterials(), null, 2)}\n`);
}
