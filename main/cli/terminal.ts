/** Where the command line writes: answers on standard output, progress and errors for people on standard error. */
import type { Stage } from '../../preload/contract/run';

/** The part of a stream that is used here. */
export interface Output {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

/** Words for the stages of a run, as they go on. */
const STAGE_WORDS: Readonly<Record<Stage, string>> = {
  prepare: 'Reading the model and the texts',
  measure: 'Measuring the full model',
  analyse: 'Finding where the knowledge sits',
  prune: 'Pruning',
  recover: 'Recovering',
  evaluate: 'Comparing the two models',
  export: 'Writing and checking the files',
};

/** How far work is. `overall` is 0 to 1. */
export interface Advance {
  readonly what: string;
  readonly overall: number;
  readonly secondsLeft: number | null;
}

const LINE_INTERVAL_MS = 10_000;
const BAR_INTERVAL_MS = 100;
const BAR_WIDTH = 24;

/** Shows one piece of work: a bar that is redrawn on a terminal, elsewhere a line now and then. */
export class ProgressDisplay {
  private lastMs = Number.NEGATIVE_INFINITY;
  private lastWhat = '';
  private drawn = 0;

  constructor(private readonly output: Output, private readonly clock: () => number = Date.now) {}

  show(advance: Advance): void {
    const now = this.clock();
    const interactive = this.output.isTTY === true;
    const due = now - this.lastMs >= (interactive ? BAR_INTERVAL_MS : LINE_INTERVAL_MS);
    if (!due && advance.what === this.lastWhat) return;
    this.lastMs = now;
    this.lastWhat = advance.what;
    if (interactive) this.draw(advance);
    else this.output.write(`${percent(advance.overall)}  ${advance.what}${timeLeft(advance.secondsLeft)}\n`);
  }

  /** Takes the bar away, so that text can follow. */
  clear(): void {
    if (this.drawn === 0) return;
    this.output.write(`\r${' '.repeat(this.drawn)}\r`);
    this.drawn = 0;
  }

  private draw({ what, overall, secondsLeft }: Advance): void {
    const filled = Math.round(Math.min(1, overall) * BAR_WIDTH);
    const bar = '#'.repeat(filled) + '-'.repeat(BAR_WIDTH - filled);
    const line = `[${bar}] ${percent(overall)}  ${what}${timeLeft(secondsLeft)}`.slice(0, (this.output.columns ?? 80) - 1);
    this.output.write(`\r${line.padEnd(this.drawn)}`);
    this.drawn = line.length;
  }
}

/** Plain words for a stage. */
export function stageWords(stage: Stage): string {
  return STAGE_WORDS[stage];
}

function percent(share: number): string {
  return `${String(Math.floor(share * 100)).padStart(3)}%`;
}

function timeLeft(seconds: number | null): string {
  if (seconds === null) return '';
  if (seconds < 90) return `, about ${Math.max(1, Math.round(seconds))} s left`;
  if (seconds < 5400) return `, about ${Math.round(seconds / 60)} min left`;
  return `, about ${(seconds / 3600).toFixed(1)} h left`;
}
