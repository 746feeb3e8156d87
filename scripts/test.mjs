// `npm test`: sets everything up and runs every check. The last line alone says how many passed and failed, where types,
// lint and the build count as one check each.
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setUp } from './setup/index.mjs';
import { playwright } from './setup/playwright.mjs';
import { main, root, run, say, SetupError } from './setup/say.mjs';

const results = join(root, 'test-results');
const module = (...parts) => join(root, 'node_modules', ...parts);

/** One check that either passes or fails as a whole. */
function whole(name, status) {
  if (status !== 0) say(`FAILED: ${name}`);
  return { name, passed: status === 0 ? 1 : 0, failed: status === 0 ? 0 : 1, skipped: 0 };
}

/** Counts of a suite from its JSON report; a suite that fails beyond its tests, or runs none, is one failure more. */
function suite(name, status, reportPath, count) {
  const counts = existsSync(reportPath) ? count(JSON.parse(readFileSync(reportPath, 'utf8'))) : { passed: 0, failed: 0, skipped: 0 };
  const isBroken = (status !== 0 && counts.failed === 0) || counts.passed + counts.failed === 0;
  return { name, ...counts, failed: counts.failed + (isBroken ? 1 : 0) };
}

/** vitest's report: a file that can't be loaded has no tests, and counts as a failure. */
function countVitest(report) {
  const unloadable = report.testResults.filter((file) => file.status === 'failed' && file.assertionResults.every((test) => test.status !== 'failed'));
  return { passed: report.numPassedTests, failed: report.numFailedTests + unloadable.length, skipped: report.numPendingTests + report.numTodoTests };
}

/** Playwright's report: a test that passed only when tried again counts as a failure. */
function countPlaywright({ stats, errors }) {
  return { passed: stats.expected, failed: stats.unexpected + stats.flaky + errors.length, skipped: stats.skipped };
}

function vitest() {
  const report = join(results, 'vitest.json');
  const status = run(process.execPath, [module('vitest', 'vitest.mjs'), 'run', '--reporter=default', '--reporter=json', `--outputFile.json=${report}`]).status;
  return suite('vitest', status, report, countVitest);
}

function endToEnd() {
  const report = join(results, 'playwright.json');
  const status = playwright(['--reporter=list,json'], { ...process.env, PLAYWRIGHT_JSON_OUTPUT_NAME: report });
  return suite('end to end', status, report, countPlaywright);
}

/** The build, which also is the last part of the set-up. */
async function setUpAndBuild() {
  try {
    await setUp({ needsWindow: true, forTests: true });
    return whole('set-up and build', 0);
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    say(error.message);
    return whole('set-up and build', 1);
  }
}

await main(async () => {
  const checks = [await setUpAndBuild()];
  rmSync(results, { recursive: true, force: true });
  mkdirSync(results, { recursive: true });
  if (existsSync(module('vitest'))) {
    say('checking types …');
    checks.push(whole('types', run(process.execPath, [join(root, 'scripts', 'types.mjs')]).status));
    say('checking style …');
    checks.push(whole('lint', run(process.execPath, [module('eslint', 'bin', 'eslint.js'), '.', '--max-warnings=0']).status));
    say('running the tests of the engine …');
    checks.push(vitest());
    say('running the tests of the window …');
    checks.push(endToEnd());
  }
  const sum = (key) => checks.reduce((total, check) => total + check[key], 0);
  for (const { name, passed, failed, skipped } of checks) {
    process.stdout.write(`  ${name}: ${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} left out` : ''}\n`);
  }
  process.stdout.write(`${sum('passed')} passed, ${sum('failed')} failed\n`);
  return sum('failed') === 0 ? 0 : 1;
});
