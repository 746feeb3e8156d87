/** Things that were taken away and can still be brought back for a few seconds. */

/** How long an undo is offered, in milliseconds. */
export const UNDO_MS = 7000;

/** One offer: what happened, and the two ways on. */
export interface UndoOffer {
  readonly id: number;
  readonly message: string;
}

interface Waiting extends UndoOffer {
  readonly undo: () => void;
  readonly commit: () => void;
  readonly timer: ReturnType<typeof setTimeout>;
}

/** The undo offers of the whole window. */
export class UndoQueue {
  #waiting = $state.raw<readonly Waiting[]>([]);
  #next = 1;

  /** The offers that still stand, oldest first. */
  get offers(): readonly UndoOffer[] {
    return this.#waiting;
  }

  /** Offers an undo; `commit` runs when the time is over, `undo` if the person asks for it before. */
  offer(message: string, undo: () => void, commit: () => void): void {
    const id = this.#next;
    this.#next += 1;
    const timer = setTimeout(() => this.#settle(id, 'commit'), UNDO_MS);
    this.#waiting = [...this.#waiting, { id, message, undo, commit, timer }];
  }

  undo(id: number): void {
    this.#settle(id, 'undo');
  }

  /** Closes an offer at once, as if its time were over. */
  dismiss(id: number): void {
    this.#settle(id, 'commit');
  }

  #settle(id: number, way: 'undo' | 'commit'): void {
    const item = this.#waiting.find((waiting) => waiting.id === id);
    if (item === undefined) return;
    clearTimeout(item.timer);
    this.#waiting = this.#waiting.filter((waiting) => waiting.id !== id);
    item[way]();
  }
}
