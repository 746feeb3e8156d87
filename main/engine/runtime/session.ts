/** The only importer of onnxruntime-node: turns graphs into sessions and runs them on typed arrays. */
import { InferenceSession, Tensor } from 'onnxruntime-node';
import type { Graph } from '../graph/graph';
import { bindDims, evaluateDim } from '../graph/dims';
import { serialiseGraph, type ShapeInput } from '../graph/onnx/serialise';
import { SessionError, ShapeError } from '../support/errors';

/** A tensor given to or taken from a session: row-major, in memory of ours. */
export type RuntimeTensor =
  | { readonly type: 'float32'; readonly shape: readonly number[]; readonly data: Float32Array }
  | { readonly type: 'float64'; readonly shape: readonly number[]; readonly data: Float64Array }
  | { readonly type: 'int64'; readonly shape: readonly number[]; readonly data: BigInt64Array };

export interface SessionOptions {
  /** Threads inside one operator. */
  readonly threads: number;
}

/** A float32 tensor over existing memory. */
export function float32(data: Float32Array, shape: readonly number[]): RuntimeTensor {
  return { type: 'float32', shape, data };
}

/** An int64 tensor from numbers. */
export function int64(values: ArrayLike<number>, shape: readonly number[]): RuntimeTensor {
  return { type: 'int64', shape, data: BigInt64Array.from(Array.from(values), BigInt) };
}

/** The numbers of a float32 result. Throws SessionError if it is of another type. */
export function float32Data(tensor: RuntimeTensor | undefined, name: string): Float32Array {
  if (tensor?.type !== 'float32') throw new SessionError(`The result ${name} is not a float32 tensor.`);
  return tensor.data;
}

/** One graph, ready to run on the CPU. */
export class Session {
  private constructor(
    readonly graph: Graph,
    private readonly session: InferenceSession,
    private readonly shapeInputs: readonly ShapeInput[],
  ) {}

  /** Throws SessionError if the runtime refuses the graph. */
  static async create(graph: Graph, options: SessionOptions): Promise<Session> {
    const { bytes, shapeInputs } = serialiseGraph(graph);
    try {
      const session = await InferenceSession.create(bytes, {
        executionProviders: ['cpu'],
        intraOpNumThreads: options.threads,
        interOpNumThreads: 1,
        enableMemPattern: false,
        logSeverityLevel: 3,
        // Spinning threads take the cores from everything else on the machine, the window included.
        extra: { session: { intra_op: { allow_spinning: '0' } } },
      });
      return new Session(graph, session, shapeInputs);
    } catch (error) {
      throw new SessionError(`The runtime refused the graph ${graph.name}: ${messageOf(error)}`, {
        cause: error,
        details: { graph: graph.name },
      });
    }
  }

  /**
   * Runs the graph. `feeds` holds every input by name; `into` may hold memory for results, which are then written
   * there. Blocks the thread while it computes. Throws ShapeError on feeds that do not fit, SessionError on failure.
   */
  async run(
    feeds: ReadonlyMap<string, RuntimeTensor>,
    into: ReadonlyMap<string, RuntimeTensor> = new Map(),
  ): Promise<Map<string, RuntimeTensor>> {
    const inputs: Record<string, Tensor> = {};
    const shapes = this.graph.inputs.map((value) => {
      const feed = feeds.get(value.name);
      if (feed === undefined) throw new ShapeError(`The graph ${this.graph.name} was not given ${value.name}.`);
      if (feed.type !== value.type) throw new ShapeError(`${value.name} is ${feed.type}, expected ${value.type}.`);
      inputs[value.name] = toOrt(feed);
      return { name: value.name, declared: value.shape, actual: feed.shape };
    });
    const bindings = bindDims(shapes);
    for (const { name, dims } of this.shapeInputs) {
      const sizes = dims.map((dim) => evaluateDim(dim, bindings));
      inputs[name] = toOrt(int64(sizes, [sizes.length]));
    }
    const fetches: Record<string, Tensor | null> = {};
    for (const { name } of this.graph.outputs) {
      const memory = into.get(name);
      fetches[name] = memory === undefined ? null : toOrt(memory);
    }
    try {
      const results = await this.session.run(inputs, fetches);
      return new Map(this.graph.outputs.map(({ name }) => [name, into.get(name) ?? fromOrt(results[name], name)]));
    } catch (error) {
      throw new SessionError(`The runtime failed in the graph ${this.graph.name}: ${messageOf(error)}`, {
        cause: error,
        details: { graph: this.graph.name },
      });
    }
  }

  async dispose(): Promise<void> {
    await this.session.release();
  }
}

function toOrt(tensor: RuntimeTensor): Tensor {
  const dims = [...tensor.shape];
  switch (tensor.type) {
    case 'float32':
      return new Tensor('float32', tensor.data, dims);
    case 'float64':
      return new Tensor('float64', tensor.data, dims);
    case 'int64':
      return new Tensor('int64', tensor.data, dims);
  }
}

function fromOrt(tensor: Tensor | undefined, name: string): RuntimeTensor {
  const shape = tensor === undefined ? [] : [...tensor.dims];
  const data = tensor?.data;
  if (data instanceof Float32Array) return { type: 'float32', shape, data };
  if (data instanceof Float64Array) return { type: 'float64', shape, data };
  if (data instanceof BigInt64Array) return { type: 'int64', shape, data };
  throw new SessionError(`The result ${name} has a type that this program does not use.`);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
