/**
 * The state machine of a run: executes the steps that are not done yet, in order, writes down what happened as it happens,
 * and leaves a folder from which a killed, failed or cancelled run can go on. What a step computes is no concern of it.
 */
import type { Recipe } from '../../../preload/contract/recipe';
import { STAGES, type RunEvent, type RunEventBody, type RunResult } from '../../../preload/contract/run';
import { CancelledError, toAppError, type AppError } from '../support/errors';
import { throwIfCancelled, type Progress } from '../support/progress';
import { checkpointIntervalMs, removeCheckpoint, StageCheckpoint } from './checkpoint';
import { decisionsOf } from './decisions';
import { ProgressMeter, type StageEstimate } from './progress-meter';
import type { RunFolder, RunStatus } from './run-folder';
import { PAUSE, SoftStop } from './soft-stop';
import type { RunContext, Step } from './step';

export interface ExecuteOptions {
  readonly threads: number;
  /** See `RunContext.memoryLimitBytes`. */
  readonly memoryLimitBytes?: number | undefined;
  /** Milliseconds of work that a killed run loses at most; what the environment says unless given. */
  readonly checkpointMs?: number | undefined;
  /**
   * Aborting with the reason `PAUSE` leaves the run interrupted, to be continued; with any other reason, cancelled. A stage
   * that keeps states comes to its next one first, if that takes no longer than `SoftStop` waits.
   */
  readonly signal: AbortSignal;
  readonly emit: (event: RunEvent) => void;
  /** What each stage will take, for the progress figure. */
  readonly estimates: readonly StageEstimate[];
  /** Done once the run is this process's own, before its first step. */
  readonly onStart?: () => Promise<void>;
}

export { PAUSE } from './soft-stop';

/** Told where a stage is continued in its middle. */
const GOES_ON = 'This stage goes on from where it was stopped.';

/** Events of progress go out at most this often, and at least this often while the engine breathes. */
const PROGRESS_INTERVAL_MS = 250;
const HEARTBEAT_MS = 2000;
/** The history on disk needs the course of a run, not every tick of its bar. */
const PROGRESS_ON_DISK_MS = 10_000;

/**
 * Executes a run to its end and returns its result. The state on disk ends as done, failed, cancelled or interrupted
 * (see `ExecuteOptions.signal`); the error, if any, is thrown as well.
 */
export async function executeRun(folder: RunFolder, steps: readonly Step[], options: ExecuteOptions): Promise<RunResult> {
  const unlock = await folder.lock();
  try {
    return await new Execution(folder, steps, options).run();
  } catch (error) {
    throw toAppError(error, folder.folder);
  } finally {
    await unlock();
  }
}

/** Largest memory that this process has used, in bytes. */
export function peakMemoryBytes(): number {
  return process.resourceUsage().maxRSS * 1024;
}

class Execution {
  private status: RunStatus = { state: 'running', startedAt: 0, finished: [], activeSeconds: 0, peakBytes: 0, error: null };
  private meter = new ProgressMeter([], []);
  private progress: Progress = { done: 0, total: 1 };
  private step: Step | null = null;
  private lastProgressMs = 0;
  private lastOnDiskMs = 0;
  private readonly startedMs = Date.now();
  private activeBefore = 0;

  constructor(
    private readonly folder: RunFolder,
    private readonly steps: readonly Step[],
    private readonly options: ExecuteOptions,
  ) {}

  async run(): Promise<RunResult> {
    const recipe = await this.folder.readRecipe();
    await this.folder.mend();
    await this.options.onStart?.();
    const before = await this.folder.readStatus();
    this.activeBefore = before.activeSeconds;
    this.status = { ...before, state: 'running', error: null };
    await this.folder.writeStatus(this.status);
    this.meter = new ProgressMeter(this.options.estimates, this.status.finished);
    this.emit({ type: 'state', state: 'running' });

    const heartbeat = setInterval(() => this.beat(), HEARTBEAT_MS);
    try {
      for (const [index, step] of this.steps.entries()) {
        if (this.status.finished.includes(step.stage)) {
          await this.forget(step, recipe);
          continue;
        }
        throwIfCancelled(this.options.signal);
        await this.runStep(step, index, recipe);
      }
      const result = await this.folder.readResult();
      await this.end({ ...this.status, state: 'done' });
      return result;
    } catch (error) {
      throw await this.fail(toAppError(error, this.folder.folder));
    } finally {
      clearInterval(heartbeat);
    }
  }

  private async runStep(step: Step, index: number, recipe: Recipe): Promise<void> {
    const { threads, memoryLimitBytes, checkpointMs } = this.options;
    this.step = step;
    this.progress = { done: 0, total: 1 };
    this.meter.start(step.stage, seconds());
    this.emit({ type: 'stage', stage: step.stage, index, count: this.steps.length });
    this.tellProgress();
    const stop = new SoftStop(this.options.signal);
    try {
      const checkpoint = await StageCheckpoint.open(this.folder, step.stage, { intervalMs: checkpointMs ?? checkpointIntervalMs(process.env), stop });
      await this.work(step, { checkpoint, once: decisionsOf(this.folder, step.stage), recipe, folder: this.folder, signal: stop.signal, threads, memoryLimitBytes, emit: (body) => this.emit(body) });
    } finally {
      stop.dispose();
    }
    this.meter.finish(seconds());
    this.progress = { done: 1, total: 1 };
    this.tellProgress();
    this.step = null;
    // The step's output is complete: from here on the run continues after it.
    const finished = STAGES.filter((stage) => stage === step.stage || this.status.finished.includes(stage));
    this.status = { ...this.status, finished, ...this.measured() };
    await this.folder.syncEvents();
    await this.folder.writeStatus(this.status);
    await this.forget(step, recipe);
  }

  private async work(step: Step, context: RunContext & { readonly checkpoint: StageCheckpoint }): Promise<void> {
    const { checkpoint } = context;
    if (checkpoint.savedPhase !== null) this.emit({ type: 'note', text: GOES_ON });
    if (checkpoint.wasDamaged) this.emit({ type: 'note', text: 'What was kept of this stage could not be read, so it begins anew.' });
    await step.run(context, (progress) => {
      this.progress = progress;
      this.meter.update(progress);
      if (Date.now() - this.lastProgressMs >= PROGRESS_INTERVAL_MS) this.tellProgress();
    });
  }

  /** Removes what a step that is noted as finished kept for being continued. */
  private async forget(step: Step, recipe: Recipe): Promise<void> {
    await removeCheckpoint(this.folder, step.stage);
    await step.cleanUp?.(this.folder, recipe);
  }

  private async fail(error: AppError): Promise<AppError> {
    const { signal } = this.options;
    const stopped = error instanceof CancelledError || error.code === 'cancelled' || signal.aborted;
    if (stopped) {
      const state = signal.reason === PAUSE ? 'interrupted' : 'cancelled';
      await this.end({ ...this.status, state });
      return error.code === 'cancelled' ? error : new CancelledError();
    }
    const { code, message, hint, details } = error;
    const plain = Object.fromEntries(Object.entries(details).map(([key, value]) => [key, typeof value === 'object' ? [...value] : value]));
    const data = { code, message, details: plain, ...(hint === undefined ? {} : { hint }) };
    await this.end({ ...this.status, state: 'failed', error: data });
    return error;
  }

  /** Writes the final state and tells it. */
  private async end(status: RunStatus): Promise<void> {
    this.status = { ...status, ...this.measured() };
    const { state, error } = this.status;
    const event = this.stamp(error === null ? { type: 'state', state } : { type: 'state', state, error });
    try {
      await this.folder.writeStatus(this.status);
      this.folder.appendEvent(event);
      await this.folder.syncEvents();
    } catch (failure) {
      // On a full disk the failure cannot be written down: the run then reads as interrupted, and the first error is
      // the one to tell.
      if (state === 'done') throw failure;
    }
    this.options.emit(event);
  }

  private measured(): Pick<RunStatus, 'activeSeconds' | 'peakBytes'> {
    return {
      activeSeconds: this.activeBefore + (Date.now() - this.startedMs) / 1000,
      peakBytes: Math.max(this.status.peakBytes, peakMemoryBytes()),
    };
  }

  private beat(): void {
    if (this.step === null || Date.now() - this.lastProgressMs < HEARTBEAT_MS / 2) return;
    try {
      this.tellProgress();
    } catch {
      // Nobody can catch what a timer throws. On a full disk, the step fails at what it writes itself.
    }
  }

  private tellProgress(): void {
    if (this.step === null) return;
    const now = Date.now();
    this.lastProgressMs = now;
    const event = this.stamp({ type: 'progress', stage: this.step.stage, ...this.progress, ...this.meter.read(seconds()) });
    if (now - this.lastOnDiskMs >= PROGRESS_ON_DISK_MS) {
      this.lastOnDiskMs = now;
      this.folder.appendEvent(event);
    }
    this.options.emit(event);
  }

  private emit(body: RunEventBody): void {
    const event = this.stamp(body);
    this.folder.appendEvent(event);
    this.options.emit(event);
  }

  private stamp(body: RunEventBody): RunEvent {
    return { runId: this.folder.runId, time: Date.now(), ...body };
  }
}

function seconds(): number {
  return performance.now() / 1000;
}
