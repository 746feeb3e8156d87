/** Products of float64 matrices by ONNX Runtime: the one kernel of everything in this folder, in the four forms used. */
import { GraphBuilder } from '../graph/builder';
import type { Graph } from '../graph/graph';
import { Session, type RuntimeTensor } from '../runtime/session';
import { ShapeError } from '../support/errors';

/** Whether the product is added to the summand or taken from it. */
export type Sign = 1 | -1;

/** One product `added + sign * left . right`; all matrices row-major and without gaps between rows. */
export interface Product {
  /** [M, K] */
  readonly left: Float64Array;
  /** [K, N], or [N, K] where `transposeRight`. */
  readonly right: Float64Array;
  readonly transposeRight: boolean;
  readonly rows: number;
  readonly inner: number;
  readonly columns: number;
  /** [M, N]; absent for a plain product. */
  readonly added?: Float64Array;
  readonly sign?: Sign;
  /** [M, N]; overwritten. Must share no memory with the operands: the runtime does not promise an order. */
  readonly into: Float64Array;
}

/** Owns the sessions; whoever makes one disposes it. */
export class Gemm64 {
  private readonly sessions = new Map<string, Promise<Session>>();

  /** `threads` inside one product. */
  constructor(readonly threads: number) {}

  /**
   * Computes one product. Cost: 2 M N K operations; blocks the thread meanwhile. Throws ShapeError where a length is
   * not what the sizes say, SessionError where the runtime fails.
   */
  async multiply(product: Product): Promise<void> {
    const { rows, inner, columns, transposeRight, added, sign = 1 } = product;
    expectLength('left', product.left, rows * inner);
    expectLength('right', product.right, inner * columns);
    expectLength('into', product.into, rows * columns);
    if (product.into.length === 0) return;
    const feeds = new Map([
      ['left', float64(product.left, [rows, inner])],
      ['right', float64(product.right, transposeRight ? [columns, inner] : [inner, columns])],
    ]);
    if (added !== undefined) {
      expectLength('added', added, rows * columns);
      feeds.set('added', float64(added, [rows, columns]));
    }
    const session = await this.session(transposeRight, sign, added !== undefined);
    await session.run(feeds, new Map([['product', float64(product.into, [rows, columns])]]));
  }

  async dispose(): Promise<void> {
    const sessions = await Promise.all(this.sessions.values());
    this.sessions.clear();
    for (const session of sessions) await session.dispose();
  }

  private session(transposeRight: boolean, sign: Sign, isAdded: boolean): Promise<Session> {
    const key = `${transposeRight} ${sign} ${isAdded}`;
    const known = this.sessions.get(key);
    if (known !== undefined) return known;
    const session = Session.create(productGraph(transposeRight, sign, isAdded), { threads: this.threads });
    this.sessions.set(key, session);
    return session;
  }
}

function productGraph(transposeRight: boolean, sign: Sign, isAdded: boolean): Graph {
  const builder = new GraphBuilder('float64');
  const left = builder.input('left', ['M', 'K']);
  const right = builder.input('right', transposeRight ? ['N', 'K'] : ['K', 'N']);
  const options = { transposeRight, alpha: sign, name: 'product' };
  const product = isAdded
    ? builder.gemm(left, right, { ...options, added: builder.input('added', ['M', 'N']) })
    : builder.gemm(left, right, options);
  return builder.build('float64 product', [product]);
}

function float64(data: Float64Array, shape: readonly number[]): RuntimeTensor {
  return { type: 'float64', shape, data };
}

function expectLength(name: string, data: Float64Array, length: number): void {
  if (data.length === length) return;
  throw new ShapeError(`The matrix ${name} of a product holds ${data.length} numbers, expected ${length}.`, {
    details: { tensor: name, expected: String(length), actual: String(data.length) },
  });
}
