/**
 * Weights and activations that stay on a device, as a program of its own: drivers are found through environment variables
 * that must be set before a process starts. Prints its findings as one line of JSON.
 */
import { argv, memoryUsage, stdout } from 'node:process';
import { setTimeout as wait } from 'node:timers/promises';
import { createAdapter, type LoraAdapter } from '../../main/engine/execution/adapter';
import { Executor } from '../../main/engine/execution/executor';
import { loadModel, type LoadedModel } from '../../main/engine/execution/loaded-model';
import { computeLogits } from '../../main/engine/evaluation/logits';
import { GraphBuilder } from '../../main/engine/graph/builder';
import type { Graph } from '../../main/engine/graph/graph';
import type { DeviceName } from '../../main/engine/graph/op-rule';
import { openCheckpoint } from '../../main/engine/model/checkpoint';
import { LINEAR_ROLES } from '../../main/engine/model/config';
import { DEVICE_NAMES, type WeightKeeping } from '../../main/engine/runtime/device-options';
import type { ResidentTensor } from '../../main/engine/runtime/resident-tensor';
import { float32, float32Data, Session, type Feed, type SessionOptions } from '../../main/engine/runtime/session';
import { Uploader, type ResidentType } from '../../main/engine/runtime/uploader';
import { chooseWeightKeeping } from '../../main/engine/runtime/weight-keeping';
import { Random } from '../../main/engine/support/random';
import { flattenGradients, LoraGradients } from '../../main/engine/training/lora-gradients';

/** What a training step on the device gave, beside the CPU's; differences are relative to the norm of what is expected. */
export interface ResidentTraining {
  readonly losses: readonly [cpu: number, device: number];
  readonly gradient: number;
  readonly logits: number;
  /** Of each of the equal steps: the first makes shaders and copies of the weights. */
  readonly seconds: readonly number[];
}

export interface ResidentFindings {
  /** How each device keeps weights by its own choice. */
  readonly chosen: Readonly<Record<DeviceName, WeightKeeping>>;
  readonly training: Readonly<Record<string, ResidentTraining>>;
  /** Growth of this process, whose memory a device in software takes: by copies of 64 MB of ours, and by giving those up for as many, eight times. */
  readonly megabytes: Readonly<Record<string, readonly [first: number, again: number]>>;
  /** Where a copied and a computed tensor lay before and after the CPU took over, and the run's results. */
  readonly takeOver: { readonly places: readonly DeviceName[]; readonly results: readonly number[]; readonly notes: number };
}

const ON_DEVICE: SessionOptions = { threads: 1, device: 'webgpu', strict: true };

async function train(model: LoadedModel, options: SessionOptions, steps: number): Promise<{ loss: number; gradients: Float32Array[]; logits: Float32Array; seconds: number[] }> {
  const random = Random.fromSeed(3);
  const adapter: LoraAdapter = createAdapter(model.config, { rank: 4, alpha: 8, targets: LINEAR_ROLES, random });
  for (const factors of adapter.layers) for (const { b } of factors.values()) b.data.set(Float32Array.from(b.data, () => 0.05 * random.nextNormal()));
  const sequences = [0, 1].map(() => Int32Array.from({ length: 9 }, () => Math.floor(random.next() * model.config.vocabulary)));
  const executor = await Executor.create(options);
  try {
    const gradients = new LoraGradients(executor, model, adapter);
    const seconds: number[] = [];
    let found: { loss: number; gradients: Float32Array[] } = { loss: Number.NaN, gradients: [] };
    for (let step = 0; step < steps; step++) {
      const start = performance.now();
      const result = await gradients.compute(sequences);
      seconds.push((performance.now() - start) / 1000);
      found = { loss: result.loss, gradients: flattenGradients(adapter, result).map((values) => values.slice()) };
    }
    return { ...found, logits: await computeLogits(executor, model, [1, 30, 40, 50, 60]), seconds };
  } finally {
    await executor.dispose();
  }
}

/** Relative L2 distance; not a number where lengths differ. */
function distance(own: readonly Float32Array[], expected: readonly Float32Array[]): number {
  let [difference, square] = [0, 0];
  expected.forEach((values, index) => {
    values.forEach((value, at) => {
      difference += (value - (own[index]?.[at] ?? Number.NaN)) ** 2;
      square += value * value;
    });
  });
  return Math.sqrt(difference / square);
}

/** How often all matrices are given up and made again. */
const EXCHANGES = 8;

/** Memory of this process once it is at rest: the driver frees what was given up a little later, in a thread of its own. */
async function settledMegabytes(): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  for (let reading = 0; reading < 10; reading++) {
    await wait(50);
    least = Math.min(least, memoryUsage.rss() / 2 ** 20);
  }
  return least;
}

/** Megabytes that sixteen matrices of 4 MB (as float32) take, and that exchanging them {@link EXCHANGES} times adds. */
async function growth(type: ResidentType): Promise<[number, number]> {
  const [rows, columns, count] = [1024, 1024, 16];
  const data = new Float32Array(rows * columns).fill(1);
  const uploader = new Uploader(ON_DEVICE);
  const fill = async (): Promise<ResidentTensor[]> => {
    const copies: ResidentTensor[] = [];
    for (let index = 0; index < count; index++) copies.push(await uploader.upload(data, [rows, columns], type, () => Promise.resolve(data)));
    return copies;
  };
  try {
    // The first copy makes shaders and the buffers that all later ones pass through.
    (await uploader.upload(data, [rows, columns], type, () => Promise.resolve(data))).dispose();
    const start = await settledMegabytes();
    const first = await fill();
    const between = await settledMegabytes();
    let present = first;
    for (let round = 0; round < EXCHANGES; round++) {
      for (const copy of present) copy.dispose();
      present = await fill();
    }
    const end = await settledMegabytes();
    for (const copy of present) copy.dispose();
    return [between - start, end - between];
  } finally {
    await uploader.dispose();
  }
}

/** WebGPU's Softmax fails where there are no rows: the CPU goes on, with tensors that lie on the device. */
async function takeOver(): Promise<ResidentFindings['takeOver']> {
  const options: SessionOptions = { threads: 1, device: 'webgpu' };
  let notes = 0;
  const uploader = new Uploader(options);
  const doubling = await Session.create(doublingGraph(), options, new Set(['doubled']));
  const failing = await Session.create(failingGraph(), { ...options, onNote: () => notes++ });
  try {
    const data = Float32Array.of(1, 2);
    const copied = await uploader.upload(data, [2], 'float32', () => Promise.resolve(data));
    const computed = (await doubling.runKeeping(new Map([['x', float32(data, [2])]]))).kept.get('doubled');
    if (computed === undefined) throw new Error('nothing was kept');
    const places = [copied.device, computed.device];
    const feeds = (rows: number): Map<string, Feed> =>
      new Map<string, Feed>([['x', float32(new Float32Array(rows * 2), [rows, 2])], ['copied', copied], ['computed', computed]]);
    await failing.run(feeds(0));
    places.push(copied.device, computed.device);
    const results = [...float32Data((await failing.run(feeds(1))).get('sum'), 'sum')];
    // What was moved can still be given to a session on the device.
    const again = (await doubling.runKeeping(new Map<string, Feed>([['x', copied]]))).kept.get('doubled');
    for (const tensor of [copied, computed, again]) tensor?.dispose();
    return { places, results, notes };
  } finally {
    await failing.dispose();
    await doubling.dispose();
    await uploader.dispose();
  }
}

function doublingGraph(): Graph {
  const builder = new GraphBuilder();
  const input = builder.input('x', [2]);
  return builder.build('doubled', [builder.add(input, input, 'doubled')]);
}

function failingGraph(): Graph {
  const builder = new GraphBuilder();
  const shares = builder.softmax(builder.input('x', ['N', 2]));
  const sum = builder.add(builder.add(shares, builder.input('copied', [2])), builder.input('computed', [2]), 'sum');
  return builder.build('sum', [sum]);
}

/** The ways of keeping weights to compare: `chosen`, and the types named after it. */
async function compare(modelPath: string, types: readonly WeightKeeping[]): Promise<ResidentFindings> {
  const keeper = await Session.create(doublingGraph(), ON_DEVICE);
  const checkpoint = await openCheckpoint(modelPath);
  try {
    const model = await loadModel(checkpoint);
    const expected = await train(model, { threads: 1 }, 1);
    const training: Record<string, ResidentTraining> = {};
    const megabytes: Record<string, [number, number]> = {};
    for (const weights of types) {
      const own = await train(model, { ...ON_DEVICE, weights }, 2);
      training[weights] = {
        losses: [expected.loss, own.loss],
        gradient: distance(own.gradients, expected.gradients),
        logits: distance([own.logits], [expected.logits]),
        seconds: own.seconds,
      };
      if (weights !== 'host') megabytes[weights] = await growth(weights);
    }
    const [cpu, webgpu] = await Promise.all(DEVICE_NAMES.map((device) => chooseWeightKeeping({ threads: 1, device })));
    return { chosen: { cpu: cpu ?? 'host', webgpu: webgpu ?? 'host' }, training, megabytes, takeOver: await takeOver() };
  } finally {
    await checkpoint.close();
    await keeper.dispose();
  }
}

const isKeeping = (word: string): word is WeightKeeping => word === 'host' || word === 'float32' || word === 'float16';
const [modelPath = '', ...types] = argv.slice(2);
stdout.write(`${JSON.stringify(await compare(modelPath, types.filter(isKeeping)))}\n`);
