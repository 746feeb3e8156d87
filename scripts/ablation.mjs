/**
 * Compresses a model again and again, each part of the method changed in turn, and tells what each costs in quality:
 * `node scripts/ablation.mjs [--out FILE] [--ratios 0.2,0.5] [--seeds 0,1,2] [--only main,refit] [--tokens 131072] [--tasks]
 * [--example]`. By default SmolLM2-135M on the bundled ids, some 20 minutes a run on two cores; `--example` takes the bundled
 * example and its texts, a minute a run. Every run's figures are a line of FILE (test-results/ablation.jsonl), and runs
 * that are there already are not made again, so the table can be filled over several nights.
 */
import { execFile } from 'node:child_process';
import { appendFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { loadavg, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { gunzipSync } from 'node:zlib';
import { build } from 'vite';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const run = promisify(execFile);

/** What each line of the table changes in the recipe. `main` is made with every seed, the others with the first. */
const VARIANTS = {
  main: {},
  'equal widths in all layers': { mode: 'everywhere' },
  'no groups kept whole': { method: { unprunableShare: 0 } },
  'removed at once': { method: { pruningShare: 0 } },
  'no warm-up': { method: { warmupShare: 0 } },
  'shrinking by linear decay': { method: { shrink: 'linearDecay' } },
  'saliency of the released code': { method: { criteria: { magnitude: 0.2, averageMagnitude: 0.2, cosine: 0.2, taylorFirst: 0.2, taylorSecond: 0.2 } } },
  'with refit': { method: { compensation: 'refit' } },
  'removed at once, with refit': { method: { compensation: 'refit', pruningShare: 0 } },
  'taught by the full model by half': { recovery: { distillation: 0.5 } },
  'in two merged trainings': { recovery: { links: 2 } },
  'fixed mix': { recovery: { beta: 1 } },
  'rank 32': { training: { rank: 32, alpha: 64 } },
  'gradients in float32': { training: { precision: 'exact' } },
  'no recovery': { method: { warmupShare: 0.2, pruningShare: 0.8 } },
};
/** Perplexities of the dense model given the same LoRA (docs/results.md): the distance is the mean logarithm of the ratio to them. */
const SMOLLM2 = { 'wiki.valid': 19.18, web_c4: 31.37, code_py: 6.34, war: 27.17 };
const TOKENS = { 'wiki.valid': 32_768, web_c4: 16_384, code_py: 16_384, war: 16_384 };
/** The first 200 questions of each; BoolQ is left out, as a damaged model that always says yes does well there. */
const TASKS = { piqa: 'piqa.jsonl.gz', hellaswag: 'hellaswag.txt.gz', winogrande: 'winogrande.jsonl.gz', arc_easy: 'arc_easy.jsonl.gz', openbookqa: 'openbook_qa.jsonl.gz' };

const args = process.argv.slice(2);
const option = (name, otherwise) => (args.includes(name) ? args[args.indexOf(name) + 1] : otherwise);
const isExample = args.includes('--example');
const ratios = option('--ratios', '0.2,0.5').split(',').map(Number);
const seeds = option('--seeds', '0,1,2').split(',').map(Number);
const tokens = Number(option('--tokens', isExample ? '65536' : '131072'));
const only = option('--only', '').split(',').filter(Boolean);
const file = option('--out', join(ROOT, 'test-results', isExample ? 'ablation-example.jsonl' : 'ablation.jsonl'));
for (const name of only) if (!(name in VARIANTS)) throw new Error(`There is no variant ${name}; there are ${Object.keys(VARIANTS).join('; ')}.`);

const built = join(ROOT, 'test-results', `ablation-${process.pid}`);
const folder = await mkdtemp(join(tmpdir(), 'shear-ablation-'));
try {
  await build({ root: ROOT, configFile: false, logLevel: 'error', build: { ssr: join('main', 'cli.ts'), outDir: built, emptyOutDir: true, target: 'node20.18', minify: false } });
  await main();
} finally {
  await rm(built, { recursive: true, force: true });
  await rm(folder, { recursive: true, force: true });
}

async function main() {
  const job = isExample ? exampleJob() : await smollm2Job();
  await mkdir(dirname(file), { recursive: true });
  for (const ratio of ratios) {
    for (const [name, changes] of Object.entries(VARIANTS)) {
      if (only.length > 0 && !only.includes(name)) continue;
      for (const seed of name === 'main' ? seeds : seeds.slice(0, 1)) {
        const key = JSON.stringify({ model: job.name, ratio, name, seed, tokens });
        if ((await known()).some((line) => line.key === key)) continue;
        const figures = await compress(job, { ratio, changes, seed });
        await appendFile(file, `${JSON.stringify({ key, ratio, name, seed, ...figures })}\n`);
        process.stdout.write(`${ratio} ${name}, seed ${seed}: ${JSON.stringify(figures)}\n`);
      }
    }
  }
  process.stdout.write(table((await known()).filter(({ key }) => JSON.parse(key).model === job.name && JSON.parse(key).tokens === tokens)));
}

async function known() {
  const text = await readFile(file, 'utf8').catch(() => '');
  return text.split('\n').filter(Boolean).map((line) => JSON.parse(line));
}

function exampleJob() {
  const example = join(ROOT, 'resources', 'example');
  const sources = ['stories.txt', 'novel.txt'].map((name) => ({ kind: 'text', path: join(example, 'texts', name), name }));
  return { name: 'example', model: join(example, 'stories260K'), sources, training: { length: 128 }, measured: null };
}

async function smollm2Job() {
  const data = join(ROOT, 'tests', 'data', 'smollm2');
  const unpack = async (from, name) => {
    await writeFile(join(folder, name), gunzipSync(await readFile(from)));
    return join(folder, name);
  };
  const measured = {};
  for (const text of Object.keys(SMOLLM2)) measured[text] = await unpack(join(data, `${text}.ids.json.gz`), `${text}.json`);
  const tasks = args.includes('--tasks') ? TASKS : {};
  const model = (await run(process.execPath, [join(ROOT, 'scripts', 'install-real-model.mjs')])).stdout.trim().split('\n').at(-1);
  const sources = [{ kind: 'ids', path: await unpack(join(data, 'train_512x256.ids.json.gz'), 'mix.json'), name: 'mix' }];
  return { name: 'SmolLM2-135M', model, sources, training: {}, measured, tasks };
}

async function shear(...argv) {
  const { stdout } = await run(process.execPath, [join(built, 'cli.js'), ...argv, '--json'], { env: { ...process.env, SHEAR_RUNS_FOLDER: join(folder, 'runs') }, maxBuffer: 1e8 });
  return JSON.parse(stdout);
}

/** One run: what it removed, its perplexities or those of the run itself, and how long it took. */
async function compress(job, { ratio, changes, seed }) {
  const out = join(folder, 'out');
  await rm(out, { recursive: true, force: true });
  const recipe = {
    model: job.model, out, size: { kind: 'ratio', ratio }, sources: job.sources, budgetTokens: tokens, seed,
    exports: [{ format: 'safetensors', dtype: 'F32' }], mode: 'quality', ...changes, training: { ...job.training, ...changes.training },
  };
  await writeFile(join(folder, 'recipe.json'), JSON.stringify(recipe));
  const told = await shear('compress', '--recipe', join(folder, 'recipe.json'));
  await rm(join(folder, 'runs'), { recursive: true, force: true });
  const figures = { removed: told.removedFraction, seconds: told.seconds, load: loadavg()[0] };
  if (job.measured === null) {
    const rows = Object.values(told.perplexity);
    return { ...figures, distance: mean(rows.map(({ recovered, full }) => Math.log(recovered / full))), pruned: mean(rows.map(({ pruned, full }) => Math.log(pruned / full))) };
  }
  const perplexity = {};
  for (const [text, path] of Object.entries(job.measured)) {
    perplexity[text] = (await shear('perplexity', join(out, 'model'), '--ids', path, '--tokens', String(TOKENS[text]))).perplexity;
  }
  const distance = mean(Object.entries(perplexity).map(([text, value]) => Math.log(value / SMOLLM2[text])));
  if (Object.keys(job.tasks).length === 0) return { ...figures, distance, perplexity };
  const { tasks } = await shear('tasks', join(out, 'model'), ...Object.entries(job.tasks).flatMap(([task, path]) => ['--task', `${task}=${join(ROOT, 'tests', 'data', 'zeroshot', path)}`]), '--limit', '200');
  return { ...figures, distance, perplexity, tasks };
}

function mean(values) {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** The table in Markdown: a line for each variant, a column for each ratio; several seeds as mean and range. */
function table(lines) {
  const cell = (name, ratio) => {
    const found = lines.filter((line) => line.name === name && line.ratio === ratio).map(({ distance }) => distance);
    if (found.length === 0) return '';
    return found.length === 1 ? found[0].toFixed(3) : `${mean(found).toFixed(3)} (${Math.min(...found).toFixed(3)} to ${Math.max(...found).toFixed(3)})`;
  };
  const rows = Object.keys(VARIANTS).map((name) => `| ${name} | ${ratios.map((ratio) => cell(name, ratio)).join(' | ')} |`);
  return `\n| | ${ratios.map((ratio) => `${100 * ratio}%`).join(' | ')} |\n|---|${ratios.map(() => '---|').join('')}\n${rows.join('\n')}\n`;
}
