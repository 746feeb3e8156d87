/** `shear runs`: the runs on this machine. */
import { listRuns } from '../../engine/jobs/run-folder';
import type { Command } from '../command';
import { asPercent, columns } from '../words';

export const runs: Command = {
  name: 'runs',
  summary: 'List the runs on this machine',
  usage: [''],
  options: {},
  help: [],
  async run(args, context) {
    args.noPath();
    const found = await listRuns(context.runsFolder);
    const rows = found.map((run) => [
      run.runId, run.state, run.lastStage ?? '-', run.result === null ? '-' : asPercent(run.result.removedFraction), run.recipe.out,
    ]);
    return {
      json: { runs: found, folder: context.runsFolder },
      text: rows.length === 0 ? `There are no runs in ${context.runsFolder}.` : columns([['RUN', 'STATE', 'LAST STAGE', 'REMOVED', 'OUT'], ...rows], 5),
    };
  },
};
