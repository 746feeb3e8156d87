/** Asks again when choices change, but not for every keystroke, and never lets an old answer overtake a new one. */

/** Runs the newest request after a pause; answers of older ones are dropped. */
export class LatestOnly {
  readonly #pauseMs: number;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #number = 0;

  constructor(pauseMs: number) {
    this.#pauseMs = pauseMs;
  }

  /** Schedules `work`; `use` receives its answer and `fail` its error, unless something newer was scheduled. */
  schedule<Value>(work: () => Promise<Value>, use: (value: Value) => void, fail: (error: unknown) => void): void {
    this.drop();
    const mine = this.#number;
    this.#timer = setTimeout(() => {
      work().then(
        (value) => {
          if (mine === this.#number) use(value);
        },
        (error: unknown) => {
          if (mine === this.#number) fail(error);
        },
      );
    }, this.#pauseMs);
  }

  /** Forgets whatever is scheduled or under way. */
  drop(): void {
    clearTimeout(this.#timer);
    this.#number += 1;
  }
}
