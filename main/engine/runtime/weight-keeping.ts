/** Finds out how a device can keep weights, by a small trial: drivers differ in whether they compute with float16. */
import { GraphBuilder } from '../graph/builder';
import type { Graph } from '../graph/graph';
import { withHalfWeights } from '../graph/passes/half-weights';
import { WEIGHT_KEEPINGS, type WeightKeeping } from './device-options';
import { float32, float32Data, Session, type Feed, type SessionOptions } from './session';
import { Uploader, type ResidentType } from './uploader';

/** Sizes of the trial, no powers of two. */
const [ROWS, INNER, COLUMNS] = [3, 70, 45];
/** Largest difference of its results, sums of 70 products of numbers up to 1, that rounding explains in each type. */
const TOLERANCE: Readonly<Record<ResidentType, number>> = { float32: 1e-4, float16: 2e-2 };

/** How to keep weights under these options: as they say, or the best way that works on the device. Throws nothing. */
export async function chooseWeightKeeping(options: SessionOptions): Promise<WeightKeeping> {
  if (options.weights !== undefined) return options.weights;
  for (const keeping of WEIGHT_KEEPINGS[options.device ?? 'cpu']) {
    if (keeping === 'host' || (await works(keeping, options).catch(() => false))) return keeping;
  }
  return 'host';
}

/** Whether a product with a kept matrix is right, wholly on the device. */
async function works(type: ResidentType, options: SessionOptions): Promise<boolean> {
  const strict = { ...options, strict: true, quiet: true };
  const uploader = new Uploader(strict);
  try {
    const left = Float32Array.from({ length: ROWS * INNER }, (_, index) => Math.sin(index));
    const right = Float32Array.from({ length: COLUMNS * INNER }, (_, index) => Math.cos(index));
    const kept = await uploader.upload(right, [COLUMNS, INNER], type, () => Promise.resolve(right));
    const session = await Session.create(trialGraph(type), strict);
    try {
      const result = (await session.run(new Map<string, Feed>([['left', float32(left, [ROWS, INNER])], ['right', kept]]))).get('product');
      return float32Data(result, 'product').every((value, index) => {
        const [row, column] = [Math.floor(index / COLUMNS), index % COLUMNS];
        let sum = 0;
        for (let at = 0; at < INNER; at++) sum += (left[row * INNER + at] ?? 0) * (right[column * INNER + at] ?? 0);
        return Math.abs(value - sum) <= TOLERANCE[type];
      });
    } finally {
      kept.dispose();
      await session.dispose();
    }
  } finally {
    await uploader.dispose();
  }
}

function trialGraph(type: ResidentType): Graph {
  const builder = new GraphBuilder();
  const product = builder.gemm(builder.input('left', [ROWS, INNER]), builder.input('right', [COLUMNS, INNER]), { transposeRight: true, name: 'product' });
  const graph = builder.build('device.trial', [product]);
  return type === 'float16' ? withHalfWeights(graph, new Set(['right'])) : graph;
}
