/** Parsers of what people write themselves or a run leaves: texts, rows, ids, task files, recipes, run folders. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { readIdsBlocks, readTextBlocks } from '../../main/engine/data/token-source';
import { previewText } from '../../main/engine/data/preview';
import { readWholeText } from '../../main/engine/data/whole-text';
import { TASKS } from '../../main/engine/evaluation/tasks';
import { readTaskItems } from '../../main/engine/evaluation/tasks-items';
import { completeRecipe, readRecipeFile } from '../../main/engine/jobs/recipe';
import { RunFolder, listRuns } from '../../main/engine/jobs/run-folder';
import { planSchema, PLAN_FILE } from '../../main/engine/jobs/steps/stage-files';
import { loadTokenizerFromJson } from '../../main/engine/tokenizer/json-tokenizer';
import type { Tokenizer } from '../../main/engine/tokenizer/tokenizer';
import { damageBytes, pick } from './bytes';
import { damageJson, damageLines } from './json';
import { exampleFile, exampleText } from './samples';
import { fileCase, type FuzzTarget } from './target';

/** The piece in which texts are read. */
const TEXT_BYTES = 1 << 20;
const SMALL_BYTES = 1 << 16;
const MOST_MS = 1000;

function exampleTokenizer(): Tokenizer {
  const json = (name: string): unknown => JSON.parse(readFileSync(exampleFile(name), 'utf8'));
  return loadTokenizerFromJson(json('tokenizer.json'), json('tokenizer_config.json'));
}

async function readText(path: string, tokenizer: Tokenizer): Promise<void> {
  await previewText(path, tokenizer);
  await readTextBlocks(path, tokenizer, { length: 16, vocabulary: 512, onProblem: () => undefined });
  // Last, as it refuses what the others go on without.
  await readWholeText(path);
}

const plainText: FuzzTarget = {
  name: 'text',
  fixedBytes: TEXT_BYTES,
  mostMs: MOST_MS,
  async prepare(folder) {
    const tokenizer = exampleTokenizer();
    const seed = Buffer.from(`\ufeff${readFileSync(exampleText('novel.txt'), 'utf8').slice(0, 1500)}\r\n<|endoftext|>\n\u{1f98a}Füchslein\n\n`);
    return (random) => fileCase(join(folder, 'text.txt'), damageBytes(seed, random), (path) => readText(path, tokenizer));
  },
};

const ROWS: readonly unknown[] = [
  { text: 'A text.' },
  { messages: [{ role: 'user', content: 'Hello' }, { role: 'assistant', content: 'Hi' }] },
  { prompt: 'One', response: 'Two' },
  { instruction: 'Do', input: null, output: 'Done' },
  { instruction: 'Do', instances: [{ input: 'a', output: 'b' }] },
];

const jsonRows: FuzzTarget = {
  name: 'json-rows',
  fixedBytes: TEXT_BYTES,
  mostMs: MOST_MS,
  async prepare(folder) {
    const tokenizer = exampleTokenizer();
    return (random) => {
      const rows = [pick(random, ROWS), ...ROWS];
      return random.nextInteger(2) === 0
        ? fileCase(join(folder, 'rows.jsonl'), damageLines(Buffer.from(rows.map((row) => JSON.stringify(row)).join('\n')), random), (path) => readText(path, tokenizer))
        : fileCase(join(folder, 'rows.json'), damageJson(Buffer.from(JSON.stringify(rows)), random), (path) => readText(path, tokenizer));
    };
  },
};

const TABLE = '\ufeffid;text\r\n1;One\r\n2;"Two; ""quoted""\r\nand broken"\r\n3;\r\n\r\n"4";Füchslein\n';

const tables: FuzzTarget = {
  name: 'tables',
  fixedBytes: TEXT_BYTES,
  mostMs: MOST_MS,
  async prepare(folder) {
    const tokenizer = exampleTokenizer();
    const seeds = [TABLE, TABLE.replaceAll(';', '\t'), TABLE.replaceAll(';', ',')].map((text) => Buffer.from(text));
    return (random) => {
      const ending = pick(random, ['csv', 'tsv']);
      return fileCase(join(folder, `table.${ending}`), damageBytes(pick(random, seeds), random), (path) => readText(path, tokenizer));
    };
  },
};

/** A page's values, twice two million of them, and the levels that say which are there. */
const PAGE_BYTES = 1 << 26;

const parquet: FuzzTarget = {
  name: 'parquet',
  fixedBytes: PAGE_BYTES,
  mostMs: MOST_MS,
  async prepare(folder) {
    const tokenizer = exampleTokenizer();
    const source = join(import.meta.dirname, '..', 'data', 'parquet');
    const seeds = readdirSync(source).filter((name) => name.endsWith('.parquet')).map((name) => readFileSync(join(source, name)));
    return (random) => {
      const seed = pick(random, seeds);
      // Half of the damage goes to the description at the end, by which all else is read.
      const footer = seed.length - 8 - seed.readUInt32LE(seed.length - 8);
      const bytes = random.nextInteger(2) === 0 ? damageBytes(seed, random) : Buffer.concat([seed.subarray(0, footer), damageBytes(seed.subarray(footer), random)]);
      return fileCase(join(folder, 'table.parquet'), bytes, (path) => readText(path, tokenizer));
    };
  },
};

const ids: FuzzTarget = {
  name: 'ids',
  fixedBytes: TEXT_BYTES,
  mostMs: MOST_MS,
  async prepare(folder) {
    const tokenizer = exampleTokenizer();
    const seeds = [[[1, 2, 3], [4, 5, 6, 511]], [7, 8, 9]].map((list) => Buffer.from(JSON.stringify(list)));
    return (random) =>
      fileCase(join(folder, 'ids.json'), damageJson(pick(random, seeds), random), async (path) => {
        await previewText(path, tokenizer);
        await readIdsBlocks(path, { length: 2, vocabulary: 512 });
      });
  },
};

const tasks: FuzzTarget = {
  name: 'tasks',
  fixedBytes: TEXT_BYTES,
  mostMs: MOST_MS,
  async prepare(folder) {
    const rows = [
      { query: 'Q', choices: ['a', 'b', 'c', 'd'], gold: 1 }, { goal: 'G', sol1: 'a', sol2: 'b', label: 0 }, { context_options: ['a', 'b'], continuation: 'c', gold: '1' },
    ].map((row) => `${JSON.stringify(row)}\n${JSON.stringify(row)}\n`);
    const lines = 'context\n2\na\nb\nc\nd\n'.repeat(2);
    return (random) => {
      const task = pick(random, TASKS);
      const use = (path: string): unknown => readTaskItems(path, task);
      const isPlain = random.nextInteger(4) === 0;
      const bytes = isPlain ? damageBytes(Buffer.from(lines), random) : damageLines(Buffer.from(pick(random, rows)), random);
      const ending = isPlain ? 'txt' : 'jsonl';
      if (random.nextInteger(4) > 0) return fileCase(join(folder, `task.${ending}`), bytes, use);
      const packed = gzipSync(bytes);
      return fileCase(join(folder, `task.${ending}.gz`), random.nextInteger(2) === 0 ? packed : damageBytes(packed, random), use);
    };
  },
};

const RECIPE = {
  version: 1, model: 'model', out: 'out', mode: 'quality', size: { kind: 'ratio', ratio: 0.2 }, budgetTokens: 1000, seed: 7, prompts: ['Once'],
  sources: [{ kind: 'text', path: 'a.txt', name: 'a', weight: 2, stage: 'pretraining' }, { kind: 'ids', path: 'b.json', name: 'b' }],
  exports: [{ format: 'gguf', dtype: 'Q4_K_M' }], method: { name: 'lorashear', criteria: { gateTaylor: 1 } }, training: { rank: 4 }, recovery: { rounds: 2 },
};

const recipe: FuzzTarget = {
  name: 'recipe',
  fixedBytes: SMALL_BYTES,
  mostMs: MOST_MS,
  async prepare(folder) {
    const seed = Buffer.from(JSON.stringify(RECIPE, null, 2));
    return (random) => fileCase(join(folder, 'recipe.json'), damageJson(seed, random), async (path) => completeRecipe(await readRecipeFile(path)));
  },
};

const side = { parameters: 1, linearParameters: 1, bytes: 1, tokensPerSecond: 1 };

const runFolder: FuzzTarget = {
  name: 'run-folder',
  fixedBytes: SMALL_BYTES,
  mostMs: MOST_MS,
  async prepare(folder) {
    const run = await RunFolder.create(folder, completeRecipe({ ...RECIPE, version: 1, model: '/m', out: '/o' }));
    await run.writeStatus({ state: 'done', startedAt: 1, finished: ['prepare'], activeSeconds: 1, peakBytes: 1, error: { code: 'internal', message: 'x', details: { a: ['b'] } } });
    await run.writeResult({
      runId: run.runId, removedFraction: 0.2, before: side, after: side, perplexities: [{ source: 'a', full: 1, pruned: 2, recovered: 1.5, tokens: 10 }],
      samples: [{ prompt: 'a', before: 'b', after: 'c' }], layers: [{ kvHeads: 1, kvHeadsBefore: 2, ffn: 3, ffnBefore: 4, locked: { attention: null, mlp: null } }],
      exports: [{ target: { format: 'gguf', dtype: 'F16' }, path: '/o', files: [{ path: '/o/a', bytes: 1 }], maxLogitDifference: 0, allowedDifference: 1, notes: [] }],
      report: '/o/report.html', seconds: 1, peakBytes: 1,
    });
    run.appendEvent({ runId: run.runId, time: 1, type: 'note', text: 'a' });
    run.appendEvent({ runId: run.runId, time: 2, type: 'mix', round: 1, weights: { a: 0.5 } });
    await run.writeJson(PLAN_FILE, { groups: [{ layer: 0, part: 'mlp', size: 2, kept: [0], scores: [1, 0], removedIn: [null, 1], locked: false }] });
    writeFileSync(run.path('lock.json'), JSON.stringify({ pid: 1, startedAt: 1, host: 'a' }));
    const files = ['recipe.json', 'state.json', 'result.json', 'events.jsonl', 'lock.json', PLAN_FILE].map((name) => ({ path: run.path(name), seed: readFileSync(run.path(name)) }));
    return (random) => {
      const { path, seed } = pick(random, files);
      return fileCase(path, path.endsWith('.jsonl') ? damageLines(seed, random) : damageJson(seed, random), async () => {
        try {
          await listRuns(folder);
          await run.readEvents();
          await run.isLocked();
          await run.summary();
          await run.readJson(PLAN_FILE, planSchema);
        } finally {
          writeFileSync(path, seed);
        }
      });
    };
  },
};

export const TEXT_TARGETS: readonly FuzzTarget[] = [plainText, jsonRows, tables, parquet, ids, tasks, recipe, runFolder];
