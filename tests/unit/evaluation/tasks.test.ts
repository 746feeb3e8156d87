/** Multiple-choice tasks: rows of every kind read, broken ones named, scores as logits give them. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { computeLogits } from '../../../main/engine/evaluation/logits';
import { taskNamed } from '../../../main/engine/evaluation/tasks';
import { readTaskItems, type TaskItem } from '../../../main/engine/evaluation/tasks-items';
import { encodeCandidate, scoreSequences, scoreTask } from '../../../main/engine/evaluation/tasks-score';
import { Executor } from '../../../main/engine/execution/executor';
import { loadUsableModel, type UsableModel } from '../../../main/engine/jobs/use-model';
import { EXAMPLE_MODEL } from '../../support/example-model';

const DATA = join(import.meta.dirname, '..', '..', 'data', 'zeroshot');

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'shear-tasks-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

async function read(name: string, text: string | Uint8Array, file = 'rows.jsonl', limit?: number): Promise<TaskItem[]> {
  await writeFile(join(folder, file), text);
  return readTaskItems(join(folder, file), taskNamed(name), limit);
}

describe('the items of a task', () => {
  it.each([
    ['piqa', 'piqa.jsonl.gz', {
      context: "Question: How do I ready a guinea pig cage for it's new occupants?\nAnswer:", choices: ['Provide the guinea pig with a cage full of a few inches of bedding made of ripped paper strips', 'ripped jeans material'], gold: 0,
    }],
    ['HellaSwag', 'hellaswag.txt.gz', {
      context: 'Roof shingle removal: A man is sitting on a roof. he', choices: ['is using wrap', 'is ripping level', "is holding a rubik's", 'starts pulling up'], gold: 3,
    }],
    ['arc_easy', 'arc_easy.jsonl.gz', {
      context: 'Question: Which statement best explains why photosynthesis is the foundation of most food webs?\nAnswer:', choices: ['Sunlight is', 'Most ecosystems', 'Carbon dioxide', 'The producers'], gold: 0,
    }],
    ['openbookqa', 'openbook_qa.jsonl.gz', {
      context: 'the best way to save money is to', choices: ['make more phone calls', 'quit eating lunch out', 'buy less', 'have lunch'], gold: 1,
    }],
    ['boolq', 'boolq.jsonl.gz', { context: 'does ethanol take more energy make that produces?\nAnswer:', choices: ['no', 'yes'], gold: 0 }],
  ])('of %s', async (name, file, { context, choices, gold }) => {
    const items = await readTaskItems(join(DATA, file), taskNamed(name));
    expect(items).toHaveLength(200);
    const [first] = items;
    expect(first?.gold).toBe(gold);
    expect(first?.candidates).toHaveLength(choices.length);
    first?.candidates.forEach((candidate, at) => {
      expect(candidate.context.endsWith(context)).toBe(true);
      expect(candidate.choice).toContain(choices[at]);
    });
    for (const { candidates } of items) for (const { choice } of candidates) expect(choice).toBe(choice.trim());
  });

  it('of winogrande differ in the context and share what follows', async () => {
    const [first] = await readTaskItems(join(DATA, 'winogrande.jsonl.gz'), taskNamed('winogrande'));
    expect(first).toEqual({
      row: 1, gold: 1,
      candidates: ['Sarah', 'Maria'].map((who) => ({ context: `Sarah was a much better surgeon than Maria so ${who}`, choice: 'always got the easier cases.' })),
    });
  });

  it('of a task that is not known are read by their fields, from a list too, as many as asked for', async () => {
    const rows = [{ query: ' One? ', choices: ['a ', 'b'], gold: '1' }, { query: 'Two?', choices: ['c', 'd'], gold: 0 }];
    expect(await read('mine', JSON.stringify(rows), 'mine.json', 1)).toEqual([
      { row: 1, gold: 1, candidates: [{ context: 'One?', choice: 'a' }, { context: 'One?', choice: 'b' }] },
    ]);
  });

  it('of HellaSwag are read in its original fields too', async () => {
    const [item] = await read('hellaswag', JSON.stringify({ activity_label: 'Swimming', ctx: 'He', endings: ['swims.', 'sinks.'], label: 0 }));
    expect(item?.candidates[1]).toEqual({ context: 'Swimming: He', choice: 'sinks.' });
  });

  const good = '{"query":"a","choices":["b","c"],"gold":0}';
  it.each([
    ['another answer than there are choices', `${good}\n{"query":"a","choices":["b","c"],"gold":2}`, /Row 2 of rows\.jsonl has 2 as "gold"; a whole number from 0 to 1/],
    ['no answer', `${good}\n\n{"query":"a","choices":["b","c"]}`, /Row 2 of rows\.jsonl has nothing as "gold"/],
    ['a missing field', `${good}\n{"choices":["b","c"],"gold":0}`, /Row 2 of rows\.jsonl has no field "query"/],
    ['no text', `${good}\n{"query":5,"choices":["b","c"],"gold":0}`, /Row 2 of rows\.jsonl has no text in its field "query"/],
    ['one choice', `${good}\n{"query":"a","choices":["b"],"gold":0}`, /Row 2 .*two choices are the fewest/],
    ['an empty choice', `${good}\n{"query":"a","choices":["b"," "],"gold":0}`, /Row 2 .*empty text in its field "choices"/],
    ['an empty context', `${good}\n{"query":" ","choices":["b","c"],"gold":0}`, /Row 2 .*empty text in its field "query"/],
    ['a cut line', `${good}\n{"query":"a","cho`, /Row 2 of rows\.jsonl is not JSON/],
    ['something else than fields', `${good}\n5`, /Row 2 of rows\.jsonl is not an object/],
    ['the fields of another task', '{"question":"a"}', /Row 1 of rows\.jsonl has the fields question; arc_easy needs query, choices, gold/],
    ['nothing', '\n', /rows\.jsonl holds no rows/],
  ])('are refused for a row with %s', async (_what, text, message) => {
    await expect(read('arc_easy', text)).rejects.toMatchObject({ code: 'text', message: expect.stringMatching(message) as unknown });
  });

  it('are refused for a block of fewer than six lines, labels that end early, and an archive that is none', async () => {
    await expect(read('hellaswag', 'c\n0\na\nb\nc\nd\nc\n1\na\n', 'rows.txt')).rejects.toThrow('Row 2 of rows.txt is cut short: it has 3 of 6 lines');
    await writeFile(join(folder, 'valid-labels.lst'), '1\n');
    const row = '{"goal":"a","sol1":"b","sol2":"c"}\n';
    expect(await read('piqa', row, 'valid.jsonl')).toMatchObject([{ gold: 1 }]);
    await expect(read('piqa', row + row, 'valid.jsonl')).rejects.toThrow('Row 2 of valid.jsonl has no right answer');
    await expect(read('arc', good, 'rows.jsonl.gz')).rejects.toMatchObject({ code: 'text' });
    const packed = gzipSync(good.repeat(50));
    await expect(read('arc', packed.subarray(0, packed.length - 12), 'rows.jsonl.gz')).rejects.toMatchObject({ code: 'text' });
    await expect(readTaskItems(join(folder, 'nowhere.jsonl'), taskNamed('arc'))).rejects.toMatchObject({ code: 'not-found' });
  });
});

describe('scores', () => {
  let executor: Executor;
  let usable: UsableModel;
  beforeAll(async () => {
    executor = await Executor.create({ threads: 1 });
    usable = await loadUsableModel(EXAMPLE_MODEL);
  });
  afterAll(async () => {
    await usable.close();
    await executor.dispose();
  });

  /** log p of each predicted id from whole logits, in float64. */
  async function reference(context: string, choice: string): Promise<number> {
    const { model, tokenizer } = usable;
    const ids = tokenizer.encode(`${context} ${choice}`);
    const logits = await computeLogits(executor, model, ids);
    const { vocabulary } = model.config;
    let sum = 0;
    for (let at = tokenizer.encode(context).length; at < ids.length; at++) {
      const row = Array.from(logits.subarray((at - 1) * vocabulary, at * vocabulary));
      const top = Math.max(...row);
      sum += (row[ids[at] ?? 0] ?? 0) - top - Math.log(row.reduce((total, value) => total + Math.exp(value - top), 0));
    }
    return sum;
  }

  const ITEMS = [
    ['Once upon a time, there was a little', ['girl named Lily.', 'transaction.', 'boy.']],
    ['Tom', ['was sad.', 'ran to the park and played with his friends until the sun went down over the hill.']],
    ['She said to her mom, "I want to go to the', ['park!"', 'parliament!"']],
  ] as const;

  it('are what the logits of each candidate alone give, in batches of unlike lengths', async () => {
    const candidates = ITEMS.flatMap(([context, choices]) => choices.map((choice) => ({ context, choice })));
    const sums = await scoreSequences(executor, usable.model, candidates.map((candidate) => encodeCandidate(usable.tokenizer, candidate)));
    for (const [at, { context, choice }] of candidates.entries()) {
      // float32 logits, summed in another order.
      expect(Math.abs((sums[at] ?? Number.NaN) - (await reference(context, choice))) <= 2e-4, choice).toBe(true);
    }
  });

  it('make both accuracies of a hand-made task', async () => {
    await writeFile(join(folder, 'mine.jsonl'), ITEMS.map(([query, choices]) => JSON.stringify({ query, choices, gold: 0 })).join('\n'));
    const items = await readTaskItems(join(folder, 'mine.jsonl'), taskNamed('mine'));
    const right = { sum: 0, perByte: 0 };
    for (const [context, choices] of ITEMS) {
      const sums: number[] = [];
      for (const choice of choices) sums.push(await reference(context, choice));
      const scaled = sums.map((sum, at) => sum / Buffer.byteLength(choices[at] ?? ''));
      if (sums.indexOf(Math.max(...sums)) === 0) right.sum++;
      if (scaled.indexOf(Math.max(...scaled)) === 0) right.perByte++;
    }
    const score = await scoreTask(executor, usable, items, 'perByte');
    expect(score).toMatchObject({ items: 3, bySum: right.sum / 3, perByte: right.perByte / 3, accuracy: right.perByte / 3, shortened: 0 });
    expect(right.sum).toBe(3);
    expect(right.perByte).toBe(2);
    expect(score.standardError).toBeCloseTo(Math.sqrt((2 / 3 / 3) / 2), 10);
  });

  it('tie for equal candidates, of which the first wins; one item has no error', async () => {
    const candidates = [{ context: 'Tom', choice: 'ran.' }, { context: 'Tom', choice: 'ran.' }];
    expect(await scoreTask(executor, usable, [{ row: 1, candidates, gold: 0 }], 'sum')).toMatchObject({ accuracy: 1, standardError: null });
    expect(await scoreTask(executor, usable, [{ row: 1, candidates, gold: 1 }], 'sum')).toMatchObject({ accuracy: 0 });
  });

  it('keep the end of a context that is longer than the model reads, and refuse such a choice', async () => {
    const long = 'Tom ran to the park. '.repeat(200).trim();
    const item = (context: string, choice: string): TaskItem => ({ row: 1, gold: 0, candidates: [{ context, choice }, { context, choice: 'no' }] });
    expect(await scoreTask(executor, usable, [item(long, 'He was happy.')], 'sum')).toMatchObject({ items: 1, shortened: 2 });
    await expect(scoreTask(executor, usable, [item('Tom', long)], 'sum')).rejects.toMatchObject({ code: 'text' });
  });

  it('can be cancelled', async () => {
    const controller = new AbortController();
    controller.abort();
    await expect(scoreSequences(executor, usable.model, [{ ids: [1, 2, 3], from: 1 }], { signal: controller.signal })).rejects.toMatchObject({ code: 'cancelled' });
  });
});

describe('the table of tasks', () => {
  it('knows names in any spelling and leaves boolq out of means', () => {
    expect(taskNamed('ARC-Easy').name).toBe('arc_easy');
    expect(taskNamed('OpenBook_QA').name).toBe('openbookqa');
    expect(taskNamed('BoolQ').leftOut).toContain('always says yes');
  });

  it('is told about in the notes of its data', async () => {
    const notes = await readFile(join(DATA, 'README.md'), 'utf8');
    for (const name of ['PIQA', 'HellaSwag', 'WinoGrande', 'ARC-Easy', 'OpenBookQA', 'BoolQ']) expect(notes).toContain(name);
  });
});
