/** Size, texts, recipe: the choices of the wizard. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { CallError } from '../../../renderer/state/bridge.svelte';
import { Job } from '../../../renderer/state/job.svelte';
import { budgetTokens, buildRecipe } from '../../../renderer/state/recipe';
import { joinPath, sortDrop, uniqueName } from '../../../renderer/state/paths';
import { SizeChoice } from '../../../renderer/state/size.svelte';
import { TextsChoice } from '../../../renderer/state/texts.svelte';
import { UndoQueue } from '../../../renderer/state/undo.svelte';
import { FakeBridge, forecast, inspection, preview } from './fake-bridge';

describe('the size', () => {
  beforeEach(() => vi.useFakeTimers());
  afterEach(() => vi.useRealTimers());

  it('asks once for many quick changes', async () => {
    const fake = new FakeBridge({ 'plan.size': ({ size }) => forecast(size.kind === 'ratio' ? size.ratio : 0) });
    const size = new SizeChoice(fake, '/m');
    for (const percent of [21, 22, 23, 30]) size.setPercent(percent);
    await vi.runAllTimersAsync();
    expect(fake.requests('plan.size')).toMatchObject([{ target: { format: 'safetensors' } }, { target: { format: 'gguf' } }]);
    expect(size.forecast?.removedFraction).toBe(0.3);
  });

  it('never lets a slow old answer overtake a new one', async () => {
    const slowFirst = [500, 500, 10, 10];
    const fake = new FakeBridge({
      'plan.size': async ({ size }) => {
        await new Promise((resolve) => setTimeout(resolve, slowFirst.shift()));
        return forecast(size.kind === 'ratio' ? size.ratio : 0);
      },
    });
    const size = new SizeChoice(fake, '/m');
    size.setPercent(10);
    await vi.advanceTimersByTimeAsync(200);
    size.setPercent(40);
    await vi.runAllTimersAsync();
    expect(size.forecast?.removedFraction).toBe(0.4);
  });

  it('says that a program opens the result if it opens one of the files', async () => {
    const fake = new FakeBridge({
      'plan.size': ({ target }) => ({
        ...forecast(0.2),
        opensIn: ['vLLM', 'Jan'].map((program) => ({ program, opens: (program === 'Jan') === (target.format === 'gguf'), note: target.format })),
      }),
    });
    const size = new SizeChoice(fake, '/m');
    size.refresh();
    await vi.runAllTimersAsync();
    expect(size.opensIn).toEqual([
      { program: 'vLLM', opens: true, note: 'safetensors' },
      { program: 'Jan', opens: true, note: 'gguf' },
    ]);
  });

  it('stays in its range and ignores what is no number', () => {
    const size = new SizeChoice(new FakeBridge({}), '/m');
    size.setPercent(99);
    expect(size.percent).toBe(80);
    size.setPercent(Number.NaN);
    expect(size.percent).toBe(80);
    size.setPercent(1);
    expect(size.percent).toBe(5);
  });

  it('warns above one half only', () => {
    const size = new SizeChoice(new FakeBridge({}), '/m');
    size.setPercent(50);
    expect(size.isRisky).toBe(false);
    size.setPercent(51);
    expect(size.isRisky).toBe(true);
  });
});

describe('the texts', () => {
  const fake = (): FakeBridge =>
    new FakeBridge({
      'texts.preview': ({ path }) => {
        if (path.includes('bad')) throw new CallError({ code: 'text', message: 'Not UTF-8.', details: {} });
        return preview(path, 1000, path.includes('chat') ? 'instruction' : 'pretraining');
      },
    });

  it('are added once each, with names of their own', async () => {
    const texts = new TextsChoice(fake(), '/m', new UndoQueue());
    expect(await texts.add([{ path: '/a/x.txt' }, { path: '/b/x.txt' }, { path: '/a/x.txt' }])).toBe(2);
    expect(texts.sources.map((source) => source.name)).toEqual(['x.txt', 'x.txt (2)']);
    expect(texts.tokens).toBe(2000);
    expect(texts.isReady).toBe(true);
  });

  it('block the way while one cannot be read, until it is removed or left out', async () => {
    const texts = new TextsChoice(fake(), '/m', new UndoQueue());
    await texts.add([{ path: '/good.txt' }, { path: '/bad.txt' }]);
    expect(texts.isReady).toBe(false);
    texts.sources[1]?.setWeight(0);
    expect(texts.isReady).toBe(true);
    expect(texts.used).toHaveLength(1);
  });

  it('come back to their place by undo', async () => {
    const undo = new UndoQueue();
    const texts = new TextsChoice(fake(), '/m', undo);
    await texts.add([{ path: '/1.txt' }, { path: '/2.txt' }, { path: '/3.txt' }]);
    const second = texts.sources[1];
    if (second !== undefined) texts.remove(second, 'gone');
    expect(texts.sources).toHaveLength(2);
    undo.undo(undo.offers[0]?.id ?? 0);
    expect(texts.sources.map((source) => source.path)).toEqual(['/1.txt', '/2.txt', '/3.txt']);
  });

  it('are read again when their columns are named, and the last answer counts', async () => {
    const asked: unknown[] = [];
    const answers: (() => void)[] = [];
    const texts = new TextsChoice(new FakeBridge({
      'texts.preview': async ({ path, columns }) => {
        asked.push(columns);
        if (columns === undefined) return { ...preview(path), documents: 0, columns: ['ask', 'reply'], problems: [{ severity: 'error', code: 'no-usable-row', message: 'None.' }] };
        await new Promise<void>((resolve) => answers.push(resolve));
        return preview(path, 'text' in columns ? 1 : 2, 'instruction');
      },
    }), '/m', new UndoQueue());
    await texts.add([{ path: '/t.csv' }]);
    const [source] = texts.sources;
    if (source === undefined) throw new Error('nothing was added');
    expect(source.needsColumns).toBe(true);
    expect(texts.isReady).toBe(false);
    await texts.setColumnKind(source, 'questions');
    await texts.setColumn(source, 'question', 'ask');
    await texts.setColumn(source, 'answer', 'ask');
    expect(asked).toEqual([undefined]);
    const first = texts.setColumn(source, 'answer', 'reply');
    source.form.choose('text', 'reply');
    const second = texts.setColumnKind(source, 'text');
    answers[1]?.();
    await second;
    answers[0]?.();
    await first;
    expect(asked).toEqual([undefined, { question: 'ask', answer: 'reply' }, { text: 'reply' }]);
    expect(source).toMatchObject({ tokens: 1, busy: false, needsColumns: false, stage: 'instruction', columns: ['ask', 'reply'] });
    expect(texts.isReady).toBe(true);
  });

  it('say what training draws of each by the weights', async () => {
    const texts = new TextsChoice(fake(), '/m', new UndoQueue());
    await texts.add([{ path: '/1.txt' }, { path: '/2.txt' }]);
    const [first, second] = texts.sources;
    if (first === undefined || second === undefined) throw new Error('nothing was added');
    second.setWeight(3);
    expect(texts.drawn(first, 8000)).toEqual({ share: 0.25, tokens: 2000, passes: 2 });
    expect(texts.drawn(second, 400)).toEqual({ share: 0.75, tokens: 300, passes: 0.3 });
    first.setWeight(0);
    expect(texts.drawn(first, 8000)).toBeNull();
  });

  it('of conversations are recovered in the instruction stage', async () => {
    const texts = new TextsChoice(fake(), '/m', new UndoQueue());
    await texts.add([{ path: '/chat.jsonl' }, { path: '/book.txt' }]);
    expect(texts.sources.map((source) => source.stage)).toEqual(['instruction', 'pretraining']);
  });
});

describe('the recipe', () => {
  it('trains whole steps within what the texts hold', () => {
    expect(budgetTokens('normal', 100_000, 1024)).toBe(97 * 1024);
    expect(budgetTokens('quick', 100_000, 1024)).toBe(24 * 1024);
    expect(budgetTokens('normal', 100_000_000, 1024)).toBe(131_072);
    expect(budgetTokens('quick', 10, 4 * 128)).toBe(8 * 4 * 128);
  });

  it('leaves out empty prompts and keeps sequences within the context', () => {
    const recipe = buildRecipe({
      model: '/m', contextLength: 128, size: { kind: 'bytes', bytes: 500_000 }, locks: ['2:mlp'], compensation: 'refit', precision: 'exact', mode: 'quality', effort: 'quick', rank: 4, learningRate: 1e-3, batch: 2, length: 256, seed: 7, out: '/o',
      exports: [{ format: 'gguf', dtype: 'F16' }], prompts: 'Hello\n\n  there ',
      sources: [{ path: '/t', name: 't', weight: 2, stage: 'instruction', isIds: true, columns: { text: 'body' }, tokens: 5000 }],
    });
    expect(recipe).toMatchObject({
      prompts: ['Hello', 'there'], training: { batch: 2, length: 128, rank: 4, alpha: 8, precision: 'exact' },
      size: { kind: 'bytes', bytes: 500_000 }, locks: ['2:mlp'], method: { compensation: 'refit' }, sources: [{ kind: 'ids', weight: 2, columns: { text: 'body' } }], mode: 'quality',
    });
  });

  it('of the check keeps at least one file type', async () => {
    const job = new Job(new FakeBridge({ 'models.inspect': ({ path }) => inspection(path) }), '/m', new UndoQueue());
    await job.model.inspect();
    expect(job.check.exports).toHaveLength(2);
    job.check.toggleExport({ format: 'safetensors', dtype: 'F16' });
    job.check.toggleExport({ format: 'gguf', dtype: 'F16' });
    expect(job.check.exports).toEqual([{ format: 'gguf', dtype: 'F16' }]);
  });
});

describe('paths', () => {
  it.each<[string, readonly string[], readonly string[], readonly string[]]>([
    ['shards of one folder', ['/m/model-00001-of-00002.safetensors', '/m/model-00002-of-00002.safetensors', '/m/config.json'], ['/m/model-00001-of-00002.safetensors'], []],
    ['all files of a folder', ['README.md', 'LICENSE', 'config.json', 'merges.txt', 'vocab.json', 'tokenizer.model', 'model.safetensors', 'modeling_x.py'].map((name) => `/m/${name}`), ['/m/config.json'], []],
    ['a folder and files of it', ['/m/tokenizer.json', '/m/', '/m/model.safetensors'], ['/m/'], []],
    ['parts of a GGUF file', ['/m/x-00002-of-00002.gguf', '/m/x-00001-of-00002.gguf', '/m/y.gguf'], ['/m/x-00002-of-00002.gguf', '/m/y.gguf'], []],
    ['models of several folders', ['/a', '/b/model.safetensors', 'C:\\c\\config.json', 'C:\\c\\model.safetensors'], ['/a', '/b/model.safetensors', 'C:\\c\\config.json'], []],
    ['models with texts', ['/a/model.gguf', '/a/notes.txt', '/a/README.md', '/b/config.json', '/b/rows.jsonl', '/b/README.md'], ['/a/model.gguf', '/b/config.json'], ['/a/notes.txt', '/a/README.md', '/b/rows.jsonl']],
    ['texts alone', ['/a/README.md', '/a/vocab.json'], [], ['/a/README.md', '/a/vocab.json']],
  ])('of %s are so many models and texts', (_, paths, models, texts) => {
    expect(sortDrop(paths)).toEqual({ models, texts });
  });

  it('keep the separator of their folder', () => {
    expect(joinPath('C:\\out', 'x')).toBe('C:\\out\\x');
    expect(joinPath('/out/', 'x')).toBe('/out/x');
  });

  it('get a number when their name is taken', () => {
    expect(uniqueName('a', ['a', 'a (2)'])).toBe('a (3)');
  });
});
