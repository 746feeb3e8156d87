/**
 * Keeps sessions and graphs by the sequence length that they were made for. Each session holds memory of its own for
 * inner values, so only those of the lengths used last stay; those that serve any length stay for good.
 */
import type { Session } from '../runtime/session';
import type { TrainingGraphs } from './graphs';

/** Lengths whose sessions stay: two, because training and measuring may take turns. Another costs some tenths of a second. */
const LENGTHS_KEPT = 2;

interface Shelf {
  readonly sessions: Map<string, Promise<Session>>;
  readonly graphs: Map<string, TrainingGraphs>;
}

export class SessionShelves {
  private readonly any = emptyShelf();
  /** By length, the least recently used first. */
  private readonly byLength = new Map<number, Shelf>();
  private leaving: Promise<void> = Promise.resolve();

  /** Graphs made before for this length (null: for any), or made now. */
  graphs(length: number | null, key: string, make: () => TrainingGraphs): TrainingGraphs {
    const { graphs } = this.shelf(length);
    const found = graphs.get(key) ?? make();
    graphs.set(key, found);
    return found;
  }

  /** As `graphs`. A session can be used until others of two more lengths have been asked for. */
  session(length: number | null, key: string, create: () => Promise<Session>): Promise<Session> {
    const { sessions } = this.shelf(length);
    // What leaves gives its memory up before something new takes some.
    const found = sessions.get(key) ?? this.leaving.then(create);
    sessions.set(key, found);
    return found;
  }

  /** Disposes all sessions; the object is empty afterwards and can be used again. */
  async dispose(): Promise<void> {
    const shelves = [this.any, ...this.byLength.values()];
    this.byLength.clear();
    await this.leaving;
    for (const shelf of shelves) await clear(shelf);
  }

  private shelf(length: number | null): Shelf {
    if (length === null) return this.any;
    const found = this.byLength.get(length) ?? emptyShelf();
    this.byLength.delete(length);
    this.byLength.set(length, found);
    for (const [oldest, shelf] of this.byLength) {
      if (this.byLength.size <= LENGTHS_KEPT) break;
      this.byLength.delete(oldest);
      this.leaving = this.leaving.then(() => clear(shelf));
    }
    return found;
  }
}

function emptyShelf(): Shelf {
  return { sessions: new Map(), graphs: new Map() };
}

/** Sessions that could not be created have nothing to give up. */
async function clear({ sessions, graphs }: Shelf): Promise<void> {
  const settled = await Promise.allSettled(sessions.values());
  sessions.clear();
  graphs.clear();
  for (const result of settled) if (result.status === 'fulfilled') await result.value.dispose();
}
