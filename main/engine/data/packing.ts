/** Cuts token ids into blocks of equal length, and holds some blocks back for measuring. */
import { TextError } from '../support/errors';
import { Random } from '../support/random';

/** A block of training ids, length as packed. */
export type Block = Int32Array;

/**
 * Packs documents into blocks of `length` ids: one after the other with `separatorId` behind each (none if null); a
 * document may continue in the next block. Ids that do not fill the last block are left out.
 */
export class BlockPacker {
  readonly blocks: Block[] = [];
  private current: Block;
  private filled = 0;

  constructor(
    private readonly length: number,
    private readonly separatorId: number | null,
  ) {
    this.current = new Int32Array(length);
  }

  /** Ids packed so far, the unfinished block included. */
  get tokens(): number {
    return this.blocks.length * this.length + this.filled;
  }

  add(ids: readonly number[]): void {
    for (const id of ids) this.put(id);
    if (this.separatorId !== null) this.put(this.separatorId);
  }

  private put(id: number): void {
    this.current[this.filled++] = id;
    if (this.filled < this.length) return;
    this.blocks.push(this.current);
    this.current = new Int32Array(this.length);
    this.filled = 0;
  }
}

/** Blocks of documents that are in memory already; see BlockPacker. */
export function packDocuments(documents: Iterable<readonly number[]>, length: number, separatorId: number | null): Block[] {
  const packer = new BlockPacker(length, separatorId);
  for (const ids of documents) packer.add(ids);
  return packer.blocks;
}

/** Blocks for training, and those that only measure. */
export interface SplitBlocks {
  readonly training: readonly Block[];
  readonly heldBack: readonly Block[];
}

/**
 * Holds back a share (0 to 1) of the blocks, at least one, never all; which ones depends on the seed alone. Both parts
 * keep the blocks' order. Raises TextError for fewer than two blocks.
 */
export function splitHeldBack(blocks: readonly Block[], share: number, seed: number): SplitBlocks {
  if (blocks.length < 2) {
    throw new TextError(`A text fills ${blocks.length} of the pieces that a model reads at a time; at least 2 are needed, one to learn from and one to measure.`, {
      hint: 'Use a longer text, or a smaller text length.',
      details: { blocks: blocks.length },
    });
  }
  const count = Math.min(blocks.length - 1, Math.max(1, Math.round(blocks.length * share)));
  const order = blocks.map((_, index) => index);
  Random.fromSeed(seed).shuffle(order);
  const chosen = new Set(order.slice(0, count));
  return {
    training: blocks.filter((_, index) => !chosen.has(index)),
    heldBack: blocks.filter((_, index) => chosen.has(index)),
  };
}
