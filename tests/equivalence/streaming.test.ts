/** Models that do not fit into the memory allowed: measured, trained, pruned and recovered from their files as in memory. */
import { mkdtemp, open, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import * as v from 'valibot';
import { recoverySchema } from '../../preload/contract/recipe';
import type { RunResult } from '../../preload/contract/run';
import { createAdapter } from '../../main/engine/execution/adapter';
import { Executor } from '../../main/engine/execution/executor';
import { LayerStream } from '../../main/engine/execution/layer-stream';
import { apart, changeLayer, loadModel, readLayer, streamModel, type ExecutableModel } from '../../main/engine/execution/loaded-model';
import { starterTexts } from '../../main/engine/jobs/bundled';
import { measureModel } from '../../main/engine/jobs/measure-model';
import { MEMORY_LIMIT_VARIABLE } from '../../main/engine/jobs/machine';
import { completeRecipe } from '../../main/engine/jobs/recipe';
import { executeRun } from '../../main/engine/jobs/run';
import { RunFolder } from '../../main/engine/jobs/run-folder';
import { steps } from '../../main/engine/jobs/steps';
import { withUsableModel } from '../../main/engine/jobs/use-model';
import { openCheckpoint, type Checkpoint } from '../../main/engine/model/checkpoint';
import { LINEAR_ROLES } from '../../main/engine/model/config';
import type { ModelView } from '../../main/engine/model/view';
import { recover } from '../../main/engine/recovery/recover';
import { Random } from '../../main/engine/support/random';
import { flattenFactors } from '../../main/engine/training/lora-gradients';
import { EXAMPLE_MODEL } from '../support/example-model';
import { tinyConfig, tinyView, writeTinyFolder } from '../support/tiny-model';

const TEXT = path.join(import.meta.dirname, '..', '..', 'resources', 'example', 'texts', 'stories.txt');
const DEEP = Array.from({ length: 5 }, (_, layer) => ({ heads: 4, kvHeads: 2, ffn: 16 + 8 * (layer % 2) }));
/** Folders of this kind have layers of one size. */
const EVEN = DEEP.map(() => ({ heads: 4, kvHeads: 2, ffn: 16 }));

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

describe('layers read one after the other', () => {
  /** A view that notes which layers are read, whose weights are those of `tinyView`. */
  function watched(): { view: ModelView; reads: number[]; fail: Set<number> } {
    const whole = tinyView(tinyConfig({ layers: DEEP }));
    const [reads, fail] = [[] as number[], new Set<number>()];
    const view: ModelView = {
      config: whole.config,
      readGlobal: (role) => whole.readGlobal(role),
      async readLayer(layer, role, into) {
        if (role === 'q') reads.push(layer);
        await new Promise((resolve) => setImmediate(resolve));
        if (fail.has(layer)) throw new Error(`layer ${layer} cannot be read`);
        const tensor = await whole.readLayer(layer, role);
        into?.set(tensor.data);
        return { shape: tensor.shape, data: into ?? tensor.data };
      },
    };
    return { view, reads, fail };
  }

  async function expectLayer(stream: LayerStream, view: ModelView, index: number): Promise<void> {
    const layer = await stream.read(index);
    expect(layer.shape).toEqual(DEEP[index]);
    for (const [role, tensor] of layer.tensors) expect(tensor, `${index}.${role}`).toEqual(await view.readLayer(index, role));
  }

  it('are read ahead on the way up and down, those at the turns once', async () => {
    const { view, reads } = watched();
    const stream = new LayerStream(view);
    for (let pass = 0; pass < 2; pass++) for (const index of [0, 1, 2, 3, 4, 4, 3, 2, 1, 0]) await stream.read(index);
    expect(reads).toEqual([0, 1, 2, 3, 4, 2, 1, 0, 2, 3, 4, 2, 1, 0]);
    expect(new Set(await Promise.all([stream.read(0), stream.read(0)])).size).toBe(1);
  });

  it('are right in any order, in the memory of two', async () => {
    const { view } = watched();
    const stream = new LayerStream(tinyView(tinyConfig({ layers: DEEP })));
    for (const index of [3, 1, 4, 4, 0, 2, 2, 1, 3, 0, 1]) await expectLayer(stream, view, index);
    const quick = new LayerStream(view);
    const [random, memory] = [Random.fromSeed(1), new Set<ArrayBufferLike | undefined>()];
    for (let read = 0; read < 20; read++) {
      const index = random.nextInteger(DEEP.length);
      await expectLayer(quick, tinyView(view.config), index);
      memory.add((await quick.read(index)).tensors.get('down')?.data.buffer);
    }
    expect(memory.size).toBe(2);
  });

  it('that could not be read ahead are told when they are asked for, and read again', async () => {
    const { view, fail } = watched();
    const stream = new LayerStream(view);
    fail.add(1);
    await expectLayer(stream, tinyView(view.config), 0);
    await expect(stream.read(1)).rejects.toThrow('layer 1 cannot be read');
    fail.clear();
    await expectLayer(stream, tinyView(view.config), 1);
  });
});

describe('a model whose layers stay in its file', () => {
  let folder: string;
  let executor: Executor;
  beforeAll(async () => {
    executor = await Executor.create({ threads: 1 });
  });
  afterAll(() => executor.dispose());
  beforeEach(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'shear-streaming-'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  async function withTiny(work: (checkpoint: Checkpoint) => Promise<void>): Promise<void> {
    await writeTinyFolder(path.join(folder, 'model'), { layers: EVEN }, { type: 'F16' });
    const checkpoint = await openCheckpoint(path.join(folder, 'model'));
    try {
      await work(checkpoint);
    } finally {
      await checkpoint.close();
    }
  }

  it('counts the bytes that are read from it', () =>
    withTiny(async (checkpoint) => {
      const opened = checkpoint.bytesRead();
      const { size } = await stat(path.join(folder, 'model', 'model.safetensors'));
      await loadModel(checkpoint);
      // Opening read the header, and loading every weight, once.
      expect([opened + checkpoint.sizeBytes, checkpoint.bytesRead()]).toEqual([size, size]);
      const streamed = await streamModel(checkpoint);
      const before = checkpoint.bytesRead();
      await readLayer(streamed, 4);
      const perLayer = 2 * (2 * 32 * 32 + 2 * 16 * 32 + 3 * 16 * 32 + 2 * 32);
      expect(checkpoint.bytesRead() - before).toBe(perLayer);
    }));

  it('is recovered to the same factors as in memory', () =>
    withTiny(async (checkpoint) => {
      const block = (step: number): Int32Array => Int32Array.from({ length: 16 }, (_, at) => 3 + ((at * step) % 40));
      const recovered = async (model: ExecutableModel): Promise<Float32Array[]> => {
        const adapter = createAdapter(model.config, { rank: 4, alpha: 8, targets: LINEAR_ROLES, random: Random.fromSeed(1) });
        await recover(executor, model, adapter, [{ name: 'text', weight: 1, stage: 'pretraining', validation: [block(5), block(9)], fullLoss: 1 }], {
          settings: { ...v.parse(recoverySchema, {}), rounds: 2 }, steps: 6, learningRate: 1e-2, trainer: { recompute: true, microBatch: 1 },
          nextBatch: () => [block(3), block(7)], signal: new AbortController().signal, onStep: () => undefined, onRound: () => undefined,
        });
        return flattenFactors(adapter);
      };
      expect(await recovered(await streamModel(checkpoint))).toEqual(await recovered(await loadModel(checkpoint)));
    }));

  it('serves several users at once, each apart', () =>
    withTiny(async (checkpoint) => {
      const model = await streamModel(checkpoint);
      const whole = await loadModel(checkpoint);
      const run = (of: ExecutableModel, first: number): Promise<Float32Array> =>
        executor.forwardBlocks(of, executor.embed(of, [first, 7, 9]), { batch: 1, length: 3 });
      expect(await Promise.all([run(apart(model), 1), run(apart(model), 2)])).toEqual([await run(whole, 1), await run(whole, 2)]);
    }));

  it('can only be changed where its file may be', () =>
    withTiny(async (checkpoint) => {
      await expect(changeLayer(await streamModel(checkpoint), 0, () => undefined)).rejects.toMatchObject({ code: 'internal' });
    }));

  it.each(['none', 'refit'] as const)('is compressed in all stages as in memory (compensation: %s)', { timeout: 120_000 }, async (compensation) => {
    const [text] = await starterTexts();
    const source = path.join(folder, 'text.txt');
    const file = await open(text?.path ?? '');
    await writeFile(source, (await file.read({ buffer: Buffer.alloc(8_000) })).buffer);
    await file.close();
    const compress = async (name: string, memoryLimitBytes: number): Promise<RunResult> => {
      const runs = path.join(folder, `${name}-${compensation}`);
      const run = await RunFolder.create(runs, completeRecipe({
        model: EXAMPLE_MODEL, out: path.join(folder, `${name}-${compensation}-out`), size: { kind: 'ratio', ratio: 0.2 }, budgetTokens: 1024,
        sources: [{ kind: 'text', path: source, name: 'text' }], training: { batch: 4, length: 64, precision: 'exact' }, prompts: [], exports: [{ format: 'safetensors', dtype: 'F16' }], method: { analysisTokens: 256, compensation },
      }));
      const result = await executeRun(run, steps, { threads: 1, signal: new AbortController().signal, memoryLimitBytes, estimates: [], emit: () => undefined });
      expect((await readdir(run.folder)).filter((left) => /^(working|adapted)/.test(left))).toEqual([]);
      return result;
    };
    const expected = await compress('whole', 1e12);
    // No way fits into this little, so each stage takes the most frugal one.
    const streamed = await compress('streamed', 1);
    expect(streamed.layers).toEqual(expected.layers);
    expect(streamed.perplexities).toHaveLength(1);
    for (const [index, { full, pruned, recovered }] of expected.perplexities.entries()) {
      const found = streamed.perplexities[index];
      for (const [actual, wanted] of [[found?.full, full], [found?.pruned, pruned], [found?.recovered, recovered]] as const) {
        // The same sums in another order, over a few dozen steps of training.
        expect(Math.abs((actual ?? Number.NaN) / wanted - 1) < 5e-3, `${actual} instead of ${wanted}`).toBe(true);
      }
    }
  });
});
