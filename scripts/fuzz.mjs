/**
 * Damages real files at random and gives them to every parser of what people drop:
 * `node scripts/fuzz.mjs [--cases 100000] [--from 0] [--parser NAME,NAME] [--json]`. An input must be read or refused in words, within
 * its CPU time, its memory and its process's heap; `--from N --cases 1` repeats a case. The parsers are in tests/fuzz.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'vite';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
/** Of this process alone: another run beside it must not take its program away. */
const OUT = join(ROOT, `out/fuzz/${process.pid}`);
/** What JavaScript's own objects may take in all, megabytes: a case that fills it ends the process. */
const HEAP_MB = 256;
/** Seconds in which a case must come to an end; counted while this process runs, so a pause does not count. */
const MOST_SECONDS = 30;

const args = process.argv.slice(2);
const valueOf = (name, otherwise) => {
  const at = args.indexOf(name);
  return at < 0 ? otherwise : args[at + 1];
};
const cases = Number(valueOf('--cases', 100_000));
const from = Number(valueOf('--from', 0));
const only = valueOf('--parser', '');
const asJson = args.includes('--json');
if (!Number.isInteger(cases) || cases < 1 || !Number.isInteger(from) || from < 0) throw new Error('--cases wants a whole number from 1 on, --from one from 0 on.');

await build({
  root: ROOT,
  configFile: false,
  logLevel: 'error',
  // The data lies beside the sources, not beside what is built of them.
  define: { 'import.meta.dirname': JSON.stringify(join(ROOT, 'tests/fuzz')) },
  build: { ssr: true, outDir: OUT, emptyOutDir: true, target: 'node20.18', rollupOptions: { input: { run: join(ROOT, 'tests/fuzz/run.ts'), targets: join(ROOT, 'tests/fuzz/targets.ts') } } },
});
const { TARGETS } = await import(pathToFileURL(join(OUT, 'targets.js')).href);
const names = TARGETS.map(({ name }) => name).filter((name) => only === '' || only.split(',').includes(name));
if (names.length === 0) throw new Error(`There is no parser "${only}"; there are ${TARGETS.map(({ name }) => name).join(', ')}.`);

/** Runs a parser's cases in a process of its own; a process that dies or hangs is a finding of the case it was at. */
function runParser(parser) {
  const folder = mkdtempSync(join(tmpdir(), 'shear-fuzz-place-'));
  const place = join(folder, 'place');
  const caseAt = () => {
    try {
      return Number(readFileSync(place, 'utf8'));
    } catch {
      return from;
    }
  };
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [`--max-old-space-size=${HEAP_MB}`, join(OUT, 'run.js'), JSON.stringify({ parser, from, cases, place })], {
      stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, TMPDIR: folder },
    });
    let text = '';
    child.stdout.setEncoding('utf8').on('data', (piece) => (text += piece));
    let [last, waited, hangs] = [-1, 0, false];
    const watch = setInterval(() => {
      const at = caseAt();
      waited = at === last ? waited + 1 : 0;
      last = at;
      if (waited >= MOST_SECONDS) {
        hangs = true;
        child.kill('SIGKILL');
      }
    }, 1000);
    child.on('close', (code) => {
      clearInterval(watch);
      const index = caseAt();
      rmSync(folder, { recursive: true, force: true });
      if (code === 0) resolve(JSON.parse(text));
      else resolve({ cases: index - from, read: 0, largestBytes: 0, slowestMs: 0, seconds: 0, peakBytes: 0, leakedFiles: 0, findings: [{ index, what: hangs ? `does not come to an end within ${MOST_SECONDS} s` : `the process died with code ${code}` }] });
    });
  });
}

process.on('exit', () => rmSync(OUT, { recursive: true, force: true }));

const megabytes = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`;
let failed = false;
for (const name of names) {
  const outcome = await runParser(name);
  failed ||= outcome.findings.length > 0 || outcome.leakedFiles > 0;
  if (asJson) console.log(JSON.stringify({ name, ...outcome }));
  else {
    console.log(
      `${name}: ${outcome.cases} cases, ${outcome.read} read, ${Math.round(outcome.seconds)} s, slowest ${Math.round(outcome.slowestMs)} ms of CPU, ` +
        `largest allocation ${megabytes(outcome.largestBytes)}, peak of the process ${megabytes(outcome.peakBytes)}${outcome.leakedFiles > 0 ? `, ${outcome.leakedFiles} FILES LEFT OPEN` : ''}`,
    );
    for (const { index, what } of outcome.findings) console.log(`  case ${index}: ${what}`);
  }
}
process.exitCode = failed ? 1 : 0;
