import { afterEach, describe, expect, it } from 'vitest';
import path from 'node:path';
import { measureModel } from '../../main/engine/jobs/measure-model';
import { MEMORY_LIMIT_VARIABLE } from '../../main/engine/jobs/machine';
import { withUsableModel } from '../../main/engine/jobs/use-model';
import { EXAMPLE_MODEL } from '../support/example-model';

const TEXT = path.join(import.meta.dirname, '..', '..', 'resources', 'example', 'texts', 'stories.txt');

describe('a model that does not fit into the memory allowed', () => {
  afterEach(() => {
    Reflect.deleteProperty(process.env, MEMORY_LIMIT_VARIABLE);
  });

  const measure = (): Promise<{ perplexity: number }> =>
    measureModel(EXAMPLE_MODEL, { kind: 'texts', paths: [TEXT] }, { tokens: 512, window: 128, threads: 1 });

  it('is measured all the same, its layers read one at a time', async () => {
    const expected = await measure();
    process.env[MEMORY_LIMIT_VARIABLE] = String(400e6 + 900e3);
    await withUsableModel(EXAMPLE_MODEL, {}, ({ model }) => {
      expect('view' in model).toBe(true);
      return Promise.resolve();
    });
    expect((await measure()).perplexity).toBeCloseTo(expected.perplexity, 6);
  });

  it('is refused in words where not even one layer fits', async () => {
    process.env[MEMORY_LIMIT_VARIABLE] = '400MB';
    await expect(measure()).rejects.toMatchObject({ code: 'memory', message: expect.stringContaining('one at a time') as string });
  });
});
