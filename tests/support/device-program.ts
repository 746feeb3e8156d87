/**
 * What a device computes beside what the CPU computes, as a program of its own: drivers are found through environment
 * variables that must be set before a process starts. Prints its findings as one line of JSON.
 */
import { argv, stdout } from 'node:process';
import { createAdapter } from '../../main/engine/execution/adapter';
import { Executor } from '../../main/engine/execution/executor';
import { KeyValueCache } from '../../main/engine/execution/key-value-cache';
import { readTokens } from '../../main/engine/execution/read-tokens';
import { loadModel, type LoadedModel } from '../../main/engine/execution/loaded-model';
import { differentiate } from '../../main/engine/graph/autodiff';
import { GraphBuilder } from '../../main/engine/graph/builder';
import type { Graph } from '../../main/engine/graph/graph';
import type { DeviceName } from '../../main/engine/graph/op-rule';
import { openCheckpoint } from '../../main/engine/model/checkpoint';
import { LINEAR_ROLES } from '../../main/engine/model/config';
import { listDevices, type Device } from '../../main/engine/runtime/devices';
import { float32, float32Data, Session, type RuntimeTensor, type SessionOptions } from '../../main/engine/runtime/session';
import { Random } from '../../main/engine/support/random';
import { flattenGradients, LoraGradients, type GradientOptions } from '../../main/engine/training/lora-gradients';
import { deviceCases } from './device-cases';
import type { GradientCase } from './gradient-check';

/** What `compare MODEL` prints. Differences are relative to the largest number expected. */
export interface Comparison {
  readonly devices: readonly Device[];
  /** The largest difference of results and gradients by case, or the error. */
  readonly cases: Readonly<Record<string, number | string>>;
  /** Differences of the logits of one token after others that are in the cache. */
  readonly cached: number;
  /** Steps of LoRA training by their kind. */
  readonly training: Readonly<Record<string, TrainingComparison>>;
}

export interface TrainingComparison {
  readonly losses: readonly [cpu: number, device: number];
  readonly gradient: number;
  /** Of each of the equal steps on the device: in the first, shaders are made. */
  readonly seconds: readonly number[];
}

/** What `take-over` prints. */
export interface TakeOver {
  readonly devices: readonly Device[];
  /** Where a graph was meant to run when made, and where after a run that the device cannot do. */
  readonly places: readonly DeviceName[];
  readonly notes: readonly string[];
  readonly result: readonly number[];
  /** Errors with `strict`: where the device fails, and where it lacks an operator (of float64, which WebGPU has not). */
  readonly strict: readonly [fails: string, lacks: string];
}

const ON_DEVICE: SessionOptions = { threads: 1, device: 'webgpu', strict: true };
const ON_CPU: SessionOptions = { threads: 1 };

/** Result and gradients of a case in float32, each against the CPU's. */
async function compareCase(test: GradientCase): Promise<number> {
  const builder = new GraphBuilder('float32');
  const inputs = test.shapes.map((shape, index) => builder.input(`input${index}`, shape));
  const result = test.build(builder, inputs);
  const seed = builder.input('seed', result.shape);
  const gradients = differentiate(builder, builder.build('case', [result]), new Map([[result, seed]]), inputs);
  const graph = builder.build('case', [result, ...gradients.values()]);
  const random = Random.fromSeed(7);
  const domain = test.domain ?? ((sample: number) => sample);
  const feeds = new Map(
    graph.inputs.map(({ name, shape }): [string, RuntimeTensor] => {
      const sizes = shape.map(Number);
      const next = name === 'seed' ? () => random.nextNormal() : () => domain(random.nextNormal());
      return [name, { type: 'float32', shape: sizes, data: Float32Array.from({ length: sizes.reduce((a, b) => a * b, 1) }, next) }];
    }),
  );
  const run = async (options: SessionOptions): Promise<Map<string, RuntimeTensor>> => {
    const session = await Session.create(graph, options);
    try {
      return await session.run(feeds);
    } finally {
      await session.dispose();
    }
  };
  const expected = await run(ON_CPU);
  const own = await run(ON_DEVICE);
  return Math.max(...[...expected.keys()].map((name) => distance(float32Data(own.get(name), name), float32Data(expected.get(name), name))));
}

/** Largest difference relative to the largest expected number; infinite where lengths differ or a number is none. */
function distance(own: Float32Array, expected: Float32Array): number {
  if (own.length !== expected.length) return Number.POSITIVE_INFINITY;
  let [difference, size] = [0, 1e-6];
  for (let index = 0; index < expected.length; index++) {
    const apart = Math.abs((own[index] ?? Number.NaN) - (expected[index] ?? Number.NaN));
    difference = Number.isNaN(apart) ? Number.POSITIVE_INFINITY : Math.max(difference, apart);
    size = Math.max(size, Math.abs(expected[index] ?? 0));
  }
  return difference / size;
}

interface TrainingKind {
  readonly batch: number;
  readonly length: number;
  readonly recompute: boolean;
  readonly options: GradientOptions;
  /** Equal steps: the second uses memory and shaders of the first again. */
  readonly steps: number;
}

/** The ways in which a training step can be laid out; 128 tokens are enough for attention in blocks. */
const trainingKinds: Readonly<Record<string, TrainingKind>> = {
  'activations saved': { batch: 2, length: 33, recompute: false, options: {}, steps: 2 },
  'activations computed again, attention in blocks, documents apart': { batch: 1, length: 128, recompute: true, options: { separatorId: 1 }, steps: 1 },
};

async function compareTraining(model: LoadedModel, kind: TrainingKind): Promise<TrainingComparison> {
  const expected = await train(model, kind, ON_CPU);
  const own = await train(model, kind, ON_DEVICE);
  return { losses: [expected.loss, own.loss], gradient: distance(own.gradients, expected.gradients), seconds: own.seconds };
}

/** Loss and LoRA gradients of the last step, and the seconds of each. */
async function train(
  model: LoadedModel,
  { batch, length, recompute, options, steps }: TrainingKind,
  session: SessionOptions,
): Promise<{ loss: number; gradients: Float32Array; seconds: number[] }> {
  const random = Random.fromSeed(3);
  const adapter = createAdapter(model.config, { rank: 4, alpha: 8, targets: LINEAR_ROLES, random });
  for (const factors of adapter.layers) for (const { b } of factors.values()) b.data.set(Float32Array.from(b.data, () => 0.05 * random.nextNormal()));
  const token = (position: number): number => (position % 30 === 0 ? 1 : Math.floor(random.next() * model.config.vocabulary));
  const sequences = Array.from({ length: batch }, () => Int32Array.from({ length }, (_, position) => token(position)));
  const executor = await Executor.create(session);
  try {
    const gradients = new LoraGradients(executor, model, adapter, { recompute });
    const seconds: number[] = [];
    let result: { loss: number; gradients: Float32Array } = { loss: Number.NaN, gradients: new Float32Array() };
    for (let step = 0; step < steps; step++) {
      const start = performance.now();
      const own = await gradients.compute(sequences, options);
      result = { loss: own.loss, gradients: join(flattenGradients(adapter, own)) };
      seconds.push((performance.now() - start) / 1000);
    }
    return { ...result, seconds };
  } finally {
    await executor.dispose();
  }
}

function join(arrays: readonly Float32Array[]): Float32Array {
  const joined = new Float32Array(arrays.reduce((sum, array) => sum + array.length, 0));
  arrays.reduce((at, array) => (joined.set(array, at), at + array.length), 0);
  return joined;
}

/** Logits of the sixth token, the five before it being in the cache, which is empty at first. */
async function cachedLogits(model: LoadedModel, options: SessionOptions): Promise<Float32Array> {
  const executor = await Executor.create(options);
  try {
    const cache = new KeyValueCache(model.config);
    await readTokens(executor, model, [1, 30, 40, 50, 60], cache);
    return await readTokens(executor, model, [70], cache);
  } finally {
    await executor.dispose();
  }
}

async function compare(modelPath: string): Promise<Comparison> {
  const devices = await listDevices();
  // As long as one session lives, the driver keeps its shaders; otherwise it would make them anew for each case.
  const keeper = await Session.create(softmaxGraph(), ON_DEVICE);
  const checkpoint = await openCheckpoint(modelPath);
  try {
    const cases: Record<string, number | string> = {};
    for (const [name, test] of Object.entries(deviceCases)) {
      cases[name] = await compareCase(test).catch(String);
    }
    const model = await loadModel(checkpoint);
    const cached = distance(await cachedLogits(model, ON_DEVICE), await cachedLogits(model, ON_CPU));
    const training: Record<string, TrainingComparison> = {};
    for (const [name, kind] of Object.entries(trainingKinds)) training[name] = await compareTraining(model, kind);
    return { devices, cases, cached, training };
  } finally {
    await checkpoint.close();
    await keeper.dispose();
  }
}

/** Gives the device what it cannot do: WebGPU's Softmax fails where there are no rows. */
async function takeOver(): Promise<TakeOver> {
  const devices = await listDevices();
  const notes: string[] = [];
  const feed = (rows: number): Map<string, RuntimeTensor> => new Map([['x', float32(new Float32Array(rows * 2), [rows, 2])]]);
  const failing = await Session.create(softmaxGraph(), { threads: 1, device: 'webgpu', onNote: (note) => notes.push(note) });
  const places = [failing.device];
  try {
    await failing.run(feed(0));
    places.push(failing.device);
    const result = [...float32Data((await failing.run(feed(1))).get('shares'), 'shares')];
    const error = async (graph: Graph): Promise<string> => {
      try {
        const session = await Session.create(graph, ON_DEVICE);
        await session.run(feed(0)).finally(() => session.dispose());
        return '';
      } catch (error) {
        return String(error);
      }
    };
    const strict = [await error(softmaxGraph()), await error(softmaxGraph('float64'))] as const;
    return { devices, places, notes, result, strict };
  } finally {
    await failing.dispose();
  }
}

function softmaxGraph(type: 'float32' | 'float64' = 'float32'): Graph {
  const builder = new GraphBuilder(type);
  return builder.build('shares', [builder.apply('Softmax', [builder.input('x', ['N', 2])], {}, 'shares')]);
}

const [mode, modelPath = ''] = argv.slice(2);
stdout.write(`${JSON.stringify(mode === 'compare' ? await compare(modelPath) : await takeOver())}\n`);
