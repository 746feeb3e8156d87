/** Turns graphs into sessions of the runtime and runs them on typed arrays, on the device that was asked for. */
import { Tensor, type InferenceSession } from 'onnxruntime-node';
import type { Graph } from '../graph/graph';
import { bindDims, evaluateDim } from '../graph/dims';
import { serialiseGraph, type ShapeInput } from '../graph/onnx/serialise';
import { GraphBuilder } from '../graph/builder';
import type { DeviceName } from '../graph/op-rule';
import { isOutOfMemory, SessionError, ShapeError, toAppError, type AppError } from '../support/errors';
import { createSession } from './create-session';
import { messageOf, runtimeOptions, takeOverNote, type WeightKeeping } from './device-options';
import { ResidentTensor } from './resident-tensor';

/** A tensor given to or taken from a session: row-major, in memory of ours. */
export type RuntimeTensor =
  | { readonly type: 'float32'; readonly shape: readonly number[]; readonly data: Float32Array }
  | { readonly type: 'float64'; readonly shape: readonly number[]; readonly data: Float64Array }
  | { readonly type: 'int64'; readonly shape: readonly number[]; readonly data: BigInt64Array }
  | { readonly type: 'int8'; readonly shape: readonly number[]; readonly data: Int8Array };

/** What a session can be given: a tensor of ours, or one that another session left on the device. */
export type Feed = RuntimeTensor | ResidentTensor;

/** Results of a run by name: those in our memory, and those that stay on the device, which the caller disposes. */
export interface RunResults {
  readonly tensors: Map<string, RuntimeTensor>;
  readonly kept: Map<string, ResidentTensor>;
}

export interface SessionOptions {
  /** Threads inside one operator, on the CPU. */
  readonly threads: number;
  /** What to compute on; the CPU unless said otherwise. */
  readonly device?: DeviceName;
  /** Throw where the device fails or lacks an operator of the graph; otherwise the CPU takes over. */
  readonly strict?: boolean;
  /** Told, in words for people, when the CPU took over from a device that failed. */
  readonly onNote?: (note: string) => void;
  /** How weights are kept; unless said otherwise, as the device likes it best (see `chooseWeightKeeping`). */
  readonly weights?: WeightKeeping;
  /** Keep the runtime from writing errors to the console, where one is expected. */
  readonly quiet?: boolean;
}

/** A float32 tensor over existing memory. */
export function float32(data: Float32Array, shape: readonly number[]): RuntimeTensor {
  return { type: 'float32', shape, data };
}

/** An int64 tensor from numbers. */
export function int64(values: ArrayLike<number>, shape: readonly number[]): RuntimeTensor {
  const data = new BigInt64Array(values.length);
  for (let index = 0; index < data.length; index++) data[index] = BigInt(values[index] ?? 0);
  return { type: 'int64', shape, data };
}

/** The numbers of a float32 result. Throws SessionError if it is of another type. */
export function float32Data(tensor: RuntimeTensor | undefined, name: string): Float32Array {
  if (tensor?.type !== 'float32') throw new SessionError(`The result ${name} is not a float32 tensor.`);
  return tensor.data;
}

/** A graph as the runtime holds it, and the device that it holds it for. */
interface Compiled {
  readonly session: InferenceSession;
  readonly shapeInputs: readonly ShapeInput[];
  readonly device: DeviceName;
}

/** One graph, ready to run on a device. */
export class Session {
  private constructor(
    readonly graph: Graph,
    private readonly options: SessionOptions,
    private compiled: Compiled,
    /** Names of the outputs that stay on the device. */
    readonly kept: ReadonlySet<string>,
  ) {}

  /**
   * Outputs named in `kept` stay on the device. Throws SessionError if the runtime refuses the graph: on the CPU, or
   * with `strict` on the device.
   */
  static async create(graph: Graph, options: SessionOptions, kept: ReadonlySet<string> = new Set()): Promise<Session> {
    const device = options.device ?? 'cpu';
    try {
      return new Session(graph, options, await compile(graph, device, options, kept), kept);
    } catch (error) {
      if (!mayTakeOver(device, options)) throw error;
      options.onNote?.(takeOverNote(device, error));
      return new Session(graph, options, await compile(graph, 'cpu', options, kept), kept);
    }
  }

  /** What the graph runs on now: the CPU once it had to take over. */
  get device(): DeviceName {
    return this.compiled.device;
  }

  /**
   * Runs the graph. `feeds` holds every input by name; `into` may hold memory for results, which are then written
   * there. Blocks the thread while it computes. Throws ShapeError on feeds that do not fit, SessionError on failure.
   */
  async run(
    feeds: ReadonlyMap<string, Feed>,
    into: ReadonlyMap<string, RuntimeTensor> = new Map(),
  ): Promise<Map<string, RuntimeTensor>> {
    return (await this.runKeeping(feeds, into)).tensors;
  }

  /** As `run`, for graphs of which results stay on the device. */
  async runKeeping(feeds: ReadonlyMap<string, Feed>, into: ReadonlyMap<string, RuntimeTensor> = new Map()): Promise<RunResults> {
    const inputs = new Map<string, Feed>();
    const shapes = this.graph.inputs.map((value) => {
      const feed = feeds.get(value.name);
      if (feed === undefined) throw new ShapeError(`The graph ${this.graph.name} was not given ${value.name}.`);
      if (feed.type !== value.type) throw new ShapeError(`${value.name} is ${feed.type}, expected ${value.type}.`);
      inputs.set(value.name, feed);
      return { name: value.name, declared: value.shape, actual: feed.shape };
    });
    const bindings = bindDims(shapes);
    try {
      return await this.compute(inputs, bindings, into);
    } catch (error) {
      const { device, session } = this.compiled;
      if (!mayTakeOver(device, this.options)) throw error;
      this.options.onNote?.(takeOverNote(device, error));
      this.compiled = await compile(this.graph, 'cpu', this.options, this.kept);
      await session.release();
      return this.compute(inputs, bindings, into);
    }
  }

  async dispose(): Promise<void> {
    await this.compiled.session.release();
  }

  /** One run on the present device; `inputs` are the graph's own, shapes are added here. */
  private async compute(
    inputs: ReadonlyMap<string, Feed>,
    bindings: ReadonlyMap<string, number>,
    into: ReadonlyMap<string, RuntimeTensor>,
  ): Promise<RunResults> {
    const { session, shapeInputs, device } = this.compiled;
    const feeds: Record<string, Tensor> = {};
    for (const [name, feed] of inputs) feeds[name] = await this.reachable(feed);
    for (const { name, dims } of shapeInputs) {
      const sizes = dims.map((dim) => evaluateDim(dim, bindings));
      feeds[name] = toOrt(int64(sizes, [sizes.length]));
    }
    // Where some results stay on a device, the runtime (1.30) silently writes nothing into memory given for the others.
    const canWriteInto = device === 'cpu' || this.kept.size === 0;
    const fetches: Record<string, Tensor | null> = {};
    for (const { name } of this.graph.outputs) {
      const memory = canWriteInto ? into.get(name) : undefined;
      fetches[name] = memory === undefined ? null : toOrt(memory);
    }
    try {
      const results = await session.run(feeds, fetches);
      const found: RunResults = { tensors: new Map(), kept: new Map() };
      for (const { name, type } of this.graph.outputs) {
        const result = results[name];
        if (this.kept.has(name)) found.kept.set(name, keep(result, name, type, device, this.options));
        else found.tensors.set(name, inMemory(result, name, into.get(name), canWriteInto));
      }
      return found;
    } catch (error) {
      throw failure(`The runtime failed in the graph ${this.graph.name}`, this.graph, device, error);
    }
  }

  /** A feed where the present device can read it: what lies on a device is fetched when the CPU took over. */
  private async reachable(feed: Feed): Promise<Tensor> {
    if (!(feed instanceof ResidentTensor)) return toOrt(feed);
    if (this.compiled.device === 'cpu') {
      try {
        await feed.moveToCpu();
      } catch (error) {
        throw new SessionError(`The graph ${this.graph.name} cannot go on: what it needs was lost with the device.`, {
          cause: error,
          hint: 'Start again; if it happens again, compute on the processor.',
        });
      }
    }
    return feed.tensor;
  }
}

/** A result in the memory given for it, if any, into which it is copied unless it is there already. */
function inMemory(result: Tensor | undefined, name: string, memory: RuntimeTensor | undefined, isThere: boolean): RuntimeTensor {
  if (memory !== undefined && isThere) return memory;
  const own = fromOrt(result, name);
  if (memory?.type !== 'float32' || own.type !== 'float32') return own;
  memory.data.set(own.data);
  return memory;
}

/** A result that stays on the device, as its holder gets it. */
function keep(tensor: Tensor | undefined, name: string, type: string, device: DeviceName, options: SessionOptions): ResidentTensor {
  if (tensor === undefined || (type !== 'float32' && type !== 'float16')) throw new SessionError(`The result ${name} cannot stay on the device.`);
  return new ResidentTensor(tensor, device, type, () => download(tensor, type, device, options));
}

/** A copy in the CPU's memory. The runtime has no call for it that works: a graph that does nothing brings it back. */
async function download(tensor: Tensor, type: 'float32' | 'float16', device: DeviceName, options: SessionOptions): Promise<Tensor> {
  const builder = new GraphBuilder();
  const input = builder.input('x', tensor.dims, type);
  const graph = builder.build('device.download', [builder.apply('Cast', [input], { to: type }, 'copy')]);
  const { session } = await compile(graph, device, options, new Set());
  try {
    const { copy } = await session.run({ x: tensor });
    if (copy === undefined) throw new SessionError('A tensor could not be read back from the device.');
    return copy;
  } finally {
    await session.release();
  }
}

async function compile(graph: Graph, device: DeviceName, options: SessionOptions, kept: ReadonlySet<string>): Promise<Compiled> {
  const { bytes, shapeInputs } = serialiseGraph(graph, device);
  try {
    const session = await createSession(bytes, runtimeOptions(device, options, kept));
    return { session, shapeInputs, device };
  } catch (error) {
    throw failure(`The runtime refused the graph ${graph.name}`, graph, device, error);
  }
}

function mayTakeOver(device: DeviceName, options: SessionOptions): boolean {
  return device !== 'cpu' && options.strict !== true;
}

function failure(what: string, graph: Graph, device: DeviceName, error: unknown): AppError {
  // A device that is short of memory gives way to the processor; where that is, there is nothing left to give way to.
  if (device === 'cpu' && isOutOfMemory(messageOf(error))) return toAppError(error);
  return new SessionError(`${what}${device === 'cpu' ? '' : ` on ${device}`}: ${messageOf(error)}`, {
    cause: error,
    details: { graph: graph.name, device },
  });
}

/** The same memory as the runtime's tensor. */
export function toOrt(tensor: RuntimeTensor): Tensor {
  const dims = [...tensor.shape];
  switch (tensor.type) {
    case 'float32':
      return new Tensor('float32', tensor.data, dims);
    case 'float64':
      return new Tensor('float64', tensor.data, dims);
    case 'int64':
      return new Tensor('int64', tensor.data, dims);
    case 'int8':
      return new Tensor('int8', tensor.data, dims);
  }
}

/** A result of the runtime as a tensor of ours. Throws SessionError for a type that this program does not use. */
export function fromOrt(tensor: Tensor | undefined, name: string): RuntimeTensor {
  const shape = tensor === undefined ? [] : [...tensor.dims];
  const data = tensor?.data;
  if (data instanceof Float32Array) return { type: 'float32', shape, data };
  if (data instanceof Float64Array) return { type: 'float64', shape, data };
  if (data instanceof Int8Array) return { type: 'int8', shape, data };
  if (data instanceof BigInt64Array) return { type: 'int64', shape, data };
  throw new SessionError(`The result ${name} has a type that this program does not use.`);
}
