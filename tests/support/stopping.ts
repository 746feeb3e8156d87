/** A checkpoint that stops the work at one of its steps, as a kill does, and hands on what was kept until then through a real file. */
import type { RunFolder } from '../../main/engine/jobs/run-folder';
import { StageCheckpoint } from '../../main/engine/jobs/checkpoint';
import type { Checkpoint, Phases } from '../../main/engine/support/checkpoint';
import type { Stage } from '../../preload/contract/run';

/** What a `Stopping` throws. */
export class Killed extends Error {}

/** Keeps a state at every step of a stage and stops the work after the given number of them. */
export class Stopping implements Phases {
  private constructor(
    private readonly kept: StageCheckpoint,
    private stepsLeft: number,
  ) {}

  static async open(folder: RunFolder, stage: Stage, steps = Number.POSITIVE_INFINITY): Promise<Stopping> {
    return new Stopping(await StageCheckpoint.open(folder, stage, { intervalMs: 0 }), steps);
  }

  get savedPhase(): string | null {
    return this.kept.savedPhase;
  }

  phase(name: string, onWritten?: () => Promise<void>): Checkpoint {
    const { saved, offer } = this.kept.phase(name, onWritten);
    return {
      saved,
      offer: async (take) => {
        await offer(take);
        this.stepsLeft--;
        if (this.stepsLeft <= 0) throw new Killed();
      },
    };
  }

  keep: Phases['keep'] = (phase, state) => this.kept.keep(phase, state);
}
