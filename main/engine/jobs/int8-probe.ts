/** Finds out by trying whether products in 8 bits are right and pay on this machine: not every processor has them. */
import { int8ColumnsGraph } from '../execution/graphs';
import { GraphBuilder } from '../graph/builder';
import { float32, float32Data, Session, type RuntimeTensor } from '../runtime/session';
import { Random } from '../support/random';

/** Sizes of the trial's product: large enough to be no matter of overheads, small enough for some milliseconds. */
const SIZE = 512;
const RUNS = 10;
/** How many times as fast an 8-bit product must be: below, the gain is not worth the rounding. */
const WORTHWHILE = 1.3;
/** Largest difference from the exact product as a share of the largest number: what rounding to 8 bits explains. */
const TOLERANCE = 0.02;

/** What the trial found. */
export interface Int8Trial {
  /** Whether results are what rounding explains; processors that add up in 16 bits overflow. */
  readonly isRight: boolean;
  /** Time of the exact product by that of the 8-bit one. */
  readonly speedup: number;
}

let known: Promise<boolean> | null = null;

/** Whether training should let gradients flow in 8 bits here. Takes well under a second once; then it is known. */
export function int8Pays(): Promise<boolean> {
  known ??= tryInt8().then(({ isRight, speedup }) => isRight && speedup >= WORTHWHILE);
  return known;
}

/** Multiplies random and extreme numbers both ways, in one thread: what else runs on the machine then disturbs least. */
export async function tryInt8(): Promise<Int8Trial> {
  const shape = [SIZE, SIZE];
  const builder = new GraphBuilder();
  const [x, w] = [builder.input('x', shape), builder.input('w', shape)];
  const exactGraph = builder.build('probe.exact', [builder.gemm(x, w, { name: 'y' })]);
  const eight = new GraphBuilder();
  const product = eight.apply('Int8Product', [eight.input('x', shape), eight.input('values', shape, 'int8'), eight.input('scales', [SIZE])], {}, 'y');
  const sessions = await Promise.all([exactGraph, eight.build('probe.int8', [product]), int8ColumnsGraph()].map((graph) => Session.create(graph, { threads: 1 })));
  const [exact, rounded, columns] = sessions;
  try {
    if (exact === undefined || rounded === undefined || columns === undefined) return { isRight: false, speedup: 0 };
    const random = Random.fromSeed(1);
    // The first half is as large as can be, so that sums of neighbouring products do not fit into 16 bits.
    const filled = (): Float32Array => Float32Array.from({ length: SIZE * SIZE }, (_, at) => (at < (SIZE * SIZE) / 2 ? 1 : random.next() * 2 - 1));
    const [left, right] = [float32(filled(), shape), float32(filled(), shape)];
    const [values, scales] = columns.graph.outputs.map(({ name }) => name);
    const weights = await columns.run(new Map([['weight', right]]));
    const feeds: ReadonlyMap<string, RuntimeTensor> = new Map([['x', left], ['w', right], ...pick(weights, values, 'values'), ...pick(weights, scales, 'scales')]);
    const memory = (): Map<string, RuntimeTensor> => new Map([['y', float32(new Float32Array(SIZE * SIZE), shape)]]);
    const [expected, actual] = [memory(), memory()];
    let [exactMs, roundedMs] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
    for (let run = 0; run < RUNS; run++) {
      exactMs = Math.min(exactMs, await milliseconds(() => exact.run(feeds, expected)));
      roundedMs = Math.min(roundedMs, await milliseconds(() => rounded.run(feeds, actual)));
    }
    return { isRight: difference(actual, expected) <= TOLERANCE, speedup: exactMs / roundedMs };
  } finally {
    for (const session of sessions) await session.dispose();
  }
}

function pick(results: ReadonlyMap<string, RuntimeTensor>, from: string | undefined, to: string): [string, RuntimeTensor][] {
  const tensor = results.get(from ?? '');
  return tensor === undefined ? [] : [[to, tensor]];
}

/** Largest difference as a share of the largest number expected. */
function difference(actual: ReadonlyMap<string, RuntimeTensor>, expected: ReadonlyMap<string, RuntimeTensor>): number {
  const [own, right] = [float32Data(actual.get('y'), 'y'), float32Data(expected.get('y'), 'y')];
  let [apart, size] = [0, 0];
  right.forEach((value, at) => {
    apart = Math.max(apart, Math.abs((own[at] ?? Number.POSITIVE_INFINITY) - value));
    size = Math.max(size, Math.abs(value));
  });
  return apart / size;
}

async function milliseconds(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return performance.now() - started;
}
