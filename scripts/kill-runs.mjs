/**
 * Kills runs of the example with SIGKILL at random moments of every stage, continues them with `--resume`, and compares
 * their plan and every exported byte of weights with those of a run that was never stopped.
 * `node scripts/kill-runs.mjs [--kills 50] [--seed 0] [--every 0.2] [--memory 113.95MB] [--places prune,recover] [--quick] [--json]`:
 * `--every` is the checkpoint interval in seconds, `--memory` what the runs may use (with 113.95MB layers are read from their
 * files), `--places` the stages in which to kill (all by default), `--quick` trains a sixteenth as long. Fails where a continued run ends
 * otherwise.
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { build } from 'vite';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
/** Where the kills of one run fall, in this order; `start` is anywhere before the first stage. The long stages come twice. */
const ALL_PLACES = ['start', 'prepare', 'measure', 'analyse', 'prune', 'prune', 'recover', 'recover', 'evaluate', 'export'];
const POLL_MS = 4;

const args = process.argv.slice(2);
const option = (name, otherwise) => {
  const at = args.indexOf(name);
  const value = at < 0 ? otherwise : Number(args[at + 1]);
  if (!Number.isFinite(value) || value < 0) throw new Error(`${name} wants a number of 0 or more.`);
  return value;
};
const [kills, seed, every] = [option('--kills', 50), option('--seed', 0), option('--every', 0.2)];
const words = (name) => (args.includes(name) ? (args[args.indexOf(name) + 1] ?? '') : null);
const places = words('--places')?.split(',') ?? ALL_PLACES;
const memory = words('--memory');
const isQuick = args.includes('--quick');
const asJson = args.includes('--json');
const tell = (text) => {
  if (!asJson) process.stdout.write(`${text}\n`);
};

/** Numbers in [0, 1) that follow from the seed (mulberry32). */
let state = seed >>> 0;
function random() {
  state = (state + 0x6d2b79f5) >>> 0;
  let mixed = Math.imul(state ^ (state >>> 15), state | 1);
  mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
  return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
}

const built = join(ROOT, 'test-results', `kill-runs-${process.pid}`);
const folder = await mkdtemp(join(tmpdir(), 'shear-kills-'));
try {
  await build({ root: ROOT, configFile: false, logLevel: 'error', build: { ssr: join('main', 'cli.ts'), outDir: built, emptyOutDir: true, target: 'node20.18', minify: false } });
  process.exitCode = await main();
} finally {
  await rm(built, { recursive: true, force: true });
  await rm(folder, { recursive: true, force: true });
}

async function main() {
  const started = performance.now();
  const reference = await startJob('reference', false);
  const status = await reference.ended;
  if (status !== 0) throw new Error(`The run that nobody stops ended with ${status}: ${reference.errors()}`);
  const lengths = stageLengths(eventsOf('reference'));
  lengths.start = reference.startSeconds();
  const expected = await fingerprint('reference');
  tell(`never stopped: ${Object.entries(lengths).map(([stage, seconds]) => `${stage} ${seconds.toFixed(1)} s`).join(', ')}`);

  const count = { kills: 0, byStage: {}, runs: 0, within: 0, different: [] };
  while (count.kills < kills) {
    const name = `run${count.runs++}`;
    const before = count.kills;
    await killedRun(name, lengths, count);
    const found = await fingerprint(name);
    const apart = Object.keys(expected).filter((key) => expected[key] !== found[key]);
    if (apart.length > 0) count.different.push(`${name}: ${apart.join(', ')}`);
    tell(`${name}: killed ${count.kills - before} times, ${apart.length === 0 ? 'the same to the last bit' : `DIFFERENT in ${apart.join(', ')}`}`);
    if (count.kills === before) throw new Error('No kill fell into a whole run.');
    await rm(join(folder, name), { recursive: true, force: true });
  }
  const seconds = Math.round(performance.now() - started) / 1000;
  const { byStage, runs, within, different } = count;
  if (asJson) process.stdout.write(`${JSON.stringify({ kills: count.kills, byStage, runs, within, different, seconds })}\n`);
  tell(`${count.kills} kills (${Object.entries(byStage).map(([stage, times]) => `${stage} ${times}`).join(', ')}) in ${runs} runs; ${within} times a stage went on in its middle; ${different.length} runs ended otherwise; ${seconds.toFixed(0)} s`);
  return different.length === 0 ? 0 : 1;
}

/** One run, killed at each place in turn as long as kills are left, and continued to its end. */
async function killedRun(name, lengths, count) {
  let resumes = false;
  for (const place of places) {
    if (count.kills >= kills) break;
    const job = await startJob(name, resumes);
    const share = random();
    const there = place === 'start' ? true : await job.reached(place);
    if (there) await Promise.race([wait(1000 * share * (lengths[place] ?? 0)), job.ended]);
    const wasKilled = there && job.kill();
    const status = await job.ended;
    resumes = true;
    if (wasKilled && status === null) {
      count.kills++;
      count.byStage[place] = (count.byStage[place] ?? 0) + 1;
      count.within += job.wentOnInTheMiddle() ? 1 : 0;
    } else if (status === 0) {
      return;
    } else {
      throw new Error(`${name} ended with ${status} at ${place}: ${job.errors()}`);
    }
  }
  const job = await startJob(name, resumes);
  const status = await job.ended;
  count.within += job.wentOnInTheMiddle() ? 1 : 0;
  if (status !== 0) throw new Error(`${name} could not be continued, status ${status}: ${job.errors()}`);
}

/** Starts or continues the job in a process of its own. */
async function startJob(name, resumes) {
  const own = join(folder, name);
  await mkdir(own, { recursive: true });
  await writeFile(join(own, 'recipe.json'), JSON.stringify(recipe(own)));
  const events = eventsFile(name);
  const before = events === null ? 0 : readFileSync(events, 'utf8').length;
  const startedMs = Date.now();
  const child = spawn(process.execPath, [join(built, 'cli.js'), 'compress', '--recipe', join(own, 'recipe.json'), '--out', join(own, 'out'), '--json', ...(memory === null ? [] : ['--memory', memory]), ...(resumes ? ['--resume'] : [])], {
    env: { ...process.env, SHEAR_RUNS_FOLDER: join(own, 'runs'), SHEAR_CHECKPOINT_SECONDS: String(every) },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let errors = '';
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => (errors = (errors + text).slice(-2000)));
  let isOver = false;
  const ended = new Promise((resolve) => child.once('close', (status) => {
    isOver = true;
    resolve(status);
  }));
  const news = () => {
    const file = eventsFile(name);
    return file === null ? [] : parseEvents(readFileSync(file, 'utf8').slice(before));
  };
  return {
    ended,
    errors: () => errors,
    kill: () => !isOver && child.kill('SIGKILL'),
    startSeconds: () => ((news().find(({ type }) => type === 'stage')?.time ?? startedMs) - startedMs) / 1000,
    /** Waits until a stage has begun; false if the run ended or went beyond it. */
    async reached(stage) {
      for (;;) {
        const stages = news().flatMap((event) => (event.type === 'stage' ? [event.stage] : []));
        if (stages.at(-1) === stage) return true;
        if (isOver || stages.some((found) => ALL_PLACES.indexOf(found) > ALL_PLACES.indexOf(stage))) return false;
        await wait(POLL_MS);
      }
    },
    /** Whether a stage went on from a state that was kept, rather than from its beginning. */
    wentOnInTheMiddle: () => news().some(({ type, text }) => type === 'note' && text === 'This stage goes on from where it was stopped.'),
  };
}

/** A run that uses all that has state: dropout, a refit, several sources and rounds, a teacher, trainings one after another. */
function recipe(own) {
  const texts = join(ROOT, 'resources', 'example', 'texts');
  return {
    model: join(ROOT, 'resources', 'example', 'stories260K'), out: join(own, 'out'), size: { kind: 'ratio', ratio: 0.3 }, mode: 'quality',
    sources: [
      { kind: 'text', path: join(texts, 'stories.txt'), name: 'stories', weight: 2 },
      { kind: 'text', path: join(texts, 'novel.txt'), name: 'novel' },
      { kind: 'text', path: join(texts, 'instructions.jsonl'), name: 'instructions', stage: 'instruction' },
    ],
    budgetTokens: isQuick ? 3072 : 49_152, seed: 3, prompts: ['Once upon'],
    exports: [{ format: 'safetensors', dtype: 'F32' }, { format: 'gguf', dtype: 'Q8_0' }],
    method: { compensation: 'refit', pruningShare: 0.4, warmupShare: 0.1, periods: 3, compensationTokens: isQuick ? 1024 : 4096, ...(isQuick && { analysisTokens: 256 }) },
    training: { dropout: 0.1, length: 64, batch: 4 }, recovery: { distillation: 0.3, links: 2 },
  };
}

function runsOf(name) {
  const runs = join(folder, name, 'runs');
  return existsSync(runs) ? readdirSync(runs).filter((entry) => !entry.startsWith('.')).map((entry) => join(runs, entry)) : [];
}

function eventsFile(name) {
  const [run] = runsOf(name);
  return run !== undefined && existsSync(join(run, 'events.jsonl')) ? join(run, 'events.jsonl') : null;
}

function eventsOf(name) {
  const file = eventsFile(name);
  return file === null ? [] : parseEvents(readFileSync(file, 'utf8'));
}

function parseEvents(text) {
  return text.split('\n').flatMap((line) => {
    try {
      return [JSON.parse(line)];
    } catch {
      return [];
    }
  });
}

/** Seconds that each stage took. */
function stageLengths(events) {
  const stages = events.filter(({ type }) => type === 'stage');
  const end = events.at(-1)?.time ?? 0;
  return Object.fromEntries(stages.map(({ stage, time }, index) => [stage, ((stages[index + 1]?.time ?? end) - time) / 1000]));
}

/** Digests of everything that must not depend on having been killed. */
async function fingerprint(name) {
  const [run, ...others] = runsOf(name);
  if (run === undefined || others.length > 0) throw new Error(`${name} left ${others.length + 1} runs where one was expected.`);
  const out = join(folder, name, 'out');
  const gguf = (await readdir(out)).filter((file) => file.endsWith('.gguf')).map((file) => join(out, file));
  const decisions = JSON.parse(await readFile(join(run, 'decisions.json'), 'utf8'));
  const leftovers = (await readdir(run)).filter((file) => /checkpoint|kept|sliced|adapted|working|partial|tmp$/.test(file));
  if (leftovers.length > 0) throw new Error(`${name} left ${leftovers.join(', ')}.`);
  return {
    decisions: JSON.stringify(decisions, (_key, value) => (typeof value === 'object' && value !== null && 'peakBytes' in value ? { ...value, peakBytes: 0 } : value)),
    ...Object.fromEntries(await Promise.all(
      [join(run, 'analysis.json'), join(run, 'plan.json'), join(run, 'recovered.safetensors'), join(out, 'plan.csv'), join(out, 'model', 'model.safetensors'), ...gguf]
        .map(async (file) => [file.slice(file.lastIndexOf('/') + 1), createHash('sha256').update(await readFile(file)).digest('hex')]),
    )),
  };
}
