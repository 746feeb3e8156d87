/** One honest figure for a whole run: how far it is and how long it still takes, from estimates that are corrected by what really happens. */
import type { Stage } from '../../../preload/contract/run';
import type { Progress } from '../support/progress';

export interface StageEstimate {
  readonly stage: Stage;
  readonly seconds: number;
}

/** Stages shorter than this weigh as much, so that none is invisible in the bar. */
const SHORTEST_STAGE_SECONDS = 0.2;
/** Before this much of a stage (and this many seconds) is done, its own pace says nothing. */
const TELLING_SHARE = 0.02;
const TELLING_SECONDS = 1;
/** The estimate may be wrong by this factor at most in the eyes of the meter: one odd stage must not spoil all others. */
const LARGEST_CORRECTION = 8;

/** Follows a run through its stages. Times are passed in (seconds on any steady clock), so that it can be tested. */
export class ProgressMeter {
  private readonly seconds: ReadonlyMap<Stage, number>;
  private readonly finished = new Set<Stage>();
  /** Estimated and real seconds of the stages that this process finished. */
  private estimated = 0;
  private real = 0;
  private current: { stage: Stage; startedAt: number; share: number } | null = null;
  private highest = 0;

  constructor(estimates: readonly StageEstimate[], alreadyFinished: readonly Stage[]) {
    this.seconds = new Map(estimates.map(({ stage, seconds }) => [stage, Math.max(SHORTEST_STAGE_SECONDS, seconds)]));
    for (const stage of alreadyFinished) this.finished.add(stage);
  }

  start(stage: Stage, now: number): void {
    this.current = { stage, startedAt: now, share: 0 };
  }

  update(progress: Progress): void {
    if (this.current === null || progress.total <= 0) return;
    this.current.share = Math.max(this.current.share, Math.min(1, progress.done / progress.total));
  }

  finish(now: number): void {
    if (this.current === null) return;
    const { stage, startedAt } = this.current;
    this.finished.add(stage);
    this.estimated += this.weight(stage);
    this.real += now - startedAt;
    this.current = null;
  }

  /** `overall` 0 to 1, never going back; `secondsLeft` null until something real has been seen. */
  read(now: number): { overall: number; secondsLeft: number | null } {
    let total = 0;
    let done = 0;
    let ahead = 0;
    for (const [stage, weight] of this.seconds) {
      total += weight;
      if (this.finished.has(stage)) done += weight;
      else if (this.current?.stage === stage) done += weight * this.current.share;
      else ahead += weight;
    }
    this.highest = Math.max(this.highest, total === 0 ? 0 : done / total);
    return { overall: this.highest, secondsLeft: this.secondsLeft(ahead, now) };
  }

  private secondsLeft(ahead: number, now: number): number | null {
    let estimated = this.estimated;
    let real = this.real;
    let here = 0;
    if (this.current !== null) {
      const { stage, startedAt, share } = this.current;
      const elapsed = now - startedAt;
      const weight = this.weight(stage);
      if (share >= TELLING_SHARE && elapsed >= TELLING_SECONDS) {
        // The stage's own pace is the best witness of what is left of it, and one more of how wrong the estimates are.
        here = (elapsed * (1 - share)) / share;
        estimated += weight * share;
        real += elapsed;
      } else {
        here = Math.max(0, weight * this.correction(estimated, real) - elapsed);
      }
    }
    if (real < TELLING_SECONDS) return null;
    return here + ahead * this.correction(estimated, real);
  }

  private correction(estimated: number, real: number): number {
    if (estimated <= 0 || real < TELLING_SECONDS) return 1;
    return Math.min(LARGEST_CORRECTION, Math.max(1 / LARGEST_CORRECTION, real / estimated));
  }

  private weight(stage: Stage): number {
    return this.seconds.get(stage) ?? SHORTEST_STAGE_SECONDS;
  }
}
