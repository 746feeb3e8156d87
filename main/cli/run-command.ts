/** What `compress` and `example` share: a run with its progress shown, and its result in words and as JSON. */
import { basename, relative } from 'node:path';
import type { RunEvent, RunResult, RunSummary } from '../../preload/contract/run';
import type { Recipe } from '../../preload/contract/recipe';
import { listRuns, type RunFolder } from '../engine/jobs/run-folder';
import { toAppError, type ErrorCode } from '../engine/support/errors';
import { executeFolder, prepareRun, reopenRun } from '../engine/jobs/start';
import type { CommandContext, Outcome } from './command';
import { stageWords } from './terminal';
import { asBytes, asCount, asDuration, asFigure, asPercent, asSize, columns } from './words';

/** Errors after which the same command would only fail again: a run that has done nothing yet is not worth keeping then. */
const BAD_INPUT: readonly ErrorCode[] = ['format', 'unsupported', 'not-found', 'text'];

/** Runs a recipe to its end, showing how far it is. */
export async function runRecipe(recipe: Recipe, context: CommandContext): Promise<RunResult> {
  const { runsFolder, memoryLimitBytes } = context;
  context.advance({ what: 'Checking the model and this machine', overall: 0, secondsLeft: null });
  const folder = await prepareRun(recipe, runsFolder, { memoryLimitBytes });
  try {
    return await executeWithProgress(folder, context);
  } catch (error) {
    const { finished } = await folder.readStatus();
    if (finished.length === 0 && BAD_INPUT.includes(toAppError(error).code)) await folder.delete();
    else context.note(keptNote(folder.runId));
    throw error;
  }
}

/** The newest unfinished run that was to fill a folder, or null. */
export async function unfinishedRun(out: string, runsFolder: string): Promise<RunSummary | null> {
  return (await listRuns(runsFolder)).find(({ recipe, state }) => recipe.out === out && state !== 'done') ?? null;
}

/** Continues a run where it stopped, showing how far it is. */
export async function resumeRun({ runId, recipe, lastStage }: RunSummary, context: CommandContext): Promise<RunResult> {
  const { runsFolder, memoryLimitBytes } = context;
  const place = lastStage === null ? 'from its start' : `after "${stageWords(lastStage)}"`;
  context.note(`Continuing the run ${runId} (${basename(recipe.model)}, ${asSize(recipe.size)}) ${place}. It keeps its own settings; other options given now do not change it.`);
  try {
    return await executeWithProgress(await reopenRun(runId, runsFolder, { memoryLimitBytes }), context);
  } catch (error) {
    context.note(keptNote(runId));
    throw error;
  }
}

async function executeWithProgress(folder: RunFolder, context: CommandContext): Promise<RunResult> {
  const { threads, signal, memoryLimitBytes } = context;
  return executeFolder(folder, { threads, signal, memoryLimitBytes, emit: (event) => show(event, context) });
}

function keptNote(runId: string): string {
  return `The run ${runId} is kept: the same command with --resume continues it where it was.`;
}

function show(event: RunEvent, context: CommandContext): void {
  switch (event.type) {
    case 'progress':
      return context.advance({ what: stageWords(event.stage), overall: event.overall, secondsLeft: event.secondsLeft });
    case 'note':
      return context.note(event.text);
    case 'stage':
    case 'loss':
    case 'perplexity':
    case 'knowledge':
    case 'layer':
    case 'mix':
    case 'state':
      return;
  }
}

/** The result for programs (product's field names) and for people. */
export function runOutcome(result: RunResult, out: string, cwd: string): Outcome {
  const { before, after, perplexities } = result;
  const nearby = (path: string): string => {
    const short = relative(cwd, path);
    return short !== '' && !short.startsWith('..') ? `./${short}` : path;
  };
  const json = {
    run: result.runId,
    removedFraction: result.removedFraction,
    parameters: { before: before.parameters, after: after.parameters },
    linearParameters: { before: before.linearParameters, after: after.linearParameters },
    bytes: { before: before.bytes, after: after.bytes },
    tokensPerSecond: { before: before.tokensPerSecond, after: after.tokensPerSecond },
    perplexity: Object.fromEntries(perplexities.map(({ source, full, pruned, recovered, tokens }) => [source, { full, pruned, recovered, tokens }])),
    out,
    exports: result.exports,
    report: result.report,
    seconds: result.seconds,
    peakBytes: result.peakBytes,
  };
  const table = columns([
    ['Perplexity (lower is better)', 'original', 'pruned', 'recovered'],
    ...perplexities.map((row) => [`  ${row.source}`, asFigure(row.full), asFigure(row.pruned), asFigure(row.recovered)]),
  ]);
  const text = [
    `Done in ${asDuration(result.seconds)}: ${asPercent(result.removedFraction)} of the weights in its layers removed, ${asCount(before.parameters)} parameters became ${asCount(after.parameters)} (${asBytes(before.bytes)} to ${asBytes(after.bytes)}).`,
    '',
    table,
    '',
    ...result.exports.map(({ path }) => `Model:   ${nearby(path)}  (opened again and compared: its answers agree with the model that was made)`),
    ...result.exports.flatMap(({ notes }) => notes.map((note) => `Note:    ${note}`)),
    `Report:  ${nearby(result.report)}`,
  ].join('\n');
  return { json, text };
}
