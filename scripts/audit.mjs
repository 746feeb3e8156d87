// `npm run audit:packages [-- --offline]`: lists the licence of every package of the program and refuses one that was not
// looked at, or a package whose content no hash holds; then asks npm's registry for known weaknesses of them.
import { partsOfProgram } from './package/parts.mjs';
import { main, run, say, SetupError } from './setup/say.mjs';

/** Licences that let the packages go with a program under Apache-2.0, as SPDX names them. */
const TAKEN = new Set(['MIT', 'ISC', 'Apache-2.0', 'BSD-2-Clause', 'BSD-3-Clause', '0BSD', 'CC0-1.0', 'Unlicense', 'BlueOak-1.0.0']);

/** Of a choice ("A OR B") one has to be taken, of a sum ("A AND B") each; everything else has to be a name in the list. */
function isTaken(license = '') {
  return license.replace(/^\(|\)$/g, '').split(' OR ').some((choice) => choice.split(' AND ').every((name) => TAKEN.has(name.trim())));
}

await main(() => {
  const parts = partsOfProgram();
  const byLicence = new Map();
  for (const { name, version, license } of parts) byLicence.set(license, [...(byLicence.get(license) ?? []), `${name} ${version}`]);
  for (const [license, names] of [...byLicence].sort()) process.stdout.write(`${license}: ${names.join(', ')}\n`);
  const problems = [
    ...parts.filter(({ license }) => !isTaken(license)).map(({ name, license }) => `${name} has the licence ${license}, which was not looked at`),
    ...parts.filter(({ integrity }) => !integrity?.startsWith('sha512-')).map(({ name }) => `package-lock.json has no hash for ${name}`),
  ];
  if (problems.length > 0) throw new SetupError(problems.join('\n'));
  if (process.argv.includes('--offline')) return 0;
  const audit = run('npm', ['audit', '--omit=dev', '--json'], { quiet: true });
  // A registry's mirror may not have this service; npm then says so around, and not in, its JSON.
  const told = /^\{[\s\S]*^\}$/m.exec(audit.output);
  const report = told === null ? {} : JSON.parse(told[0]);
  if (report.metadata === undefined) throw new SetupError(`The registry does not tell known weaknesses here: ${report.message ?? audit.output.slice(0, 200)}`);
  const { total } = report.metadata.vulnerabilities;
  say(`${total} known weaknesses in what the program is made of`);
  for (const [name, { severity }] of Object.entries(report.vulnerabilities)) say(`${severity}: ${name}`);
  return total === 0 ? 0 : 1;
});
