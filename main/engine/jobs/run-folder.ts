/**
 * A run on disk: its recipe, state, events and the files that its stages leave. Everything needed to show a run, to
 * continue it after a crash, or to run its recipe again is here; nothing about a run is kept anywhere else.
 */
import { randomBytes } from 'node:crypto';
import { appendFileSync, existsSync } from 'node:fs';
import { mkdir, open, readFile, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import * as v from 'valibot';
import { recipeSchema, type Recipe } from '../../../preload/contract/recipe';
import {
  errorDataSchema, runEventSchema, runResultSchema, runStateSchema, stageSchema,
  type RunEvent, type RunResult, type RunState, type RunSummary,
} from '../../../preload/contract/run';
import { syncFolder } from '../formats/whole-file';
import { FormatError, InternalError, NotFoundError, UsageError, toAppError } from '../support/errors';
import { readJsonFile, writeJsonFile } from './json-files';
import { isLocked, takeLock } from './run-lock';

const runStatusSchema = v.object({
  state: runStateSchema,
  /** Milliseconds since 1970. */
  startedAt: v.number(),
  /** Stages whose output is complete on disk. */
  finished: v.array(stageSchema),
  /** Seconds of work so far, pauses between interrupted attempts not counted. */
  activeSeconds: v.number(),
  /** Largest memory of the working process so far. */
  peakBytes: v.number(),
  error: v.nullable(errorDataSchema),
});
/** What `state.json` holds. */
export type RunStatus = v.InferOutput<typeof runStatusSchema>;

const RECIPE = 'recipe.json';
const STATUS = 'state.json';
const EVENTS = 'events.jsonl';
const RESULT = 'result.json';
const LOCK = 'lock.json';
const TRASH = '.trash-';
/** Names under which files are written until they are whole. */
const UNFINISHED = /^\..*\.partial$|\.tmp$/;
const RUN_ID = /^[0-9A-Za-z-]{1,64}$/;

/**
 * Where runs are kept when nobody says otherwise: `SHEAR_RUNS_FOLDER`, else the user's data folder as each system has it
 * (XDG base directories on Linux, Application Support on a Mac, the roaming profile on Windows).
 */
export function defaultRunsFolder(
  environment: Readonly<Record<string, string | undefined>> = process.env,
  platform: NodeJS.Platform = process.platform,
): string {
  const set = (name: string): string | undefined => (environment[name] === '' ? undefined : environment[name]);
  const chosen = set('SHEAR_RUNS_FOLDER');
  if (chosen !== undefined) return chosen;
  const home = set('HOME') ?? homedir();
  switch (platform) {
    case 'win32':
      return join(set('APPDATA') ?? join(home, 'AppData', 'Roaming'), 'shear', 'runs');
    case 'darwin':
      return join(home, 'Library', 'Application Support', 'shear', 'runs');
    default:
      return join(set('XDG_DATA_HOME') ?? join(home, '.local', 'share'), 'shear', 'runs');
  }
}

/** One run's folder. Stage files are reached by `path`, `writeJson` and `readJson` with names of the stage's choice. */
export class RunFolder {
  private constructor(
    readonly runId: string,
    /** Absolute path of the run's own folder. */
    readonly folder: string,
  ) {}

  /** Makes the folder of a new run. It is complete (recipe and state inside) before it gets its final name. */
  static async create(runsFolder: string, recipe: Recipe, now = new Date()): Promise<RunFolder> {
    const stamp = now.toISOString().slice(0, 19).replace(/[-:]/g, '').replace('T', '-');
    const runId = `${stamp}-${randomBytes(3).toString('hex')}`;
    const temporary = join(runsFolder, `.new-${runId}`);
    try {
      await mkdir(temporary, { recursive: true });
      await writeJsonFile(join(temporary, RECIPE), recipe);
      const status: RunStatus = { state: 'interrupted', startedAt: now.getTime(), finished: [], activeSeconds: 0, peakBytes: 0, error: null };
      await writeJsonFile(join(temporary, STATUS), status);
      await writeFile(join(temporary, EVENTS), '');
      await rename(temporary, join(runsFolder, runId));
      await syncFolder(runsFolder);
    } catch (error) {
      await rm(temporary, { recursive: true, force: true });
      throw toAppError(error);
    }
    return new RunFolder(runId, join(runsFolder, runId));
  }

  /** The folder of a run that exists. Throws NotFoundError. */
  static open(runsFolder: string, runId: string): RunFolder {
    const run = RunFolder.find(runsFolder, runId);
    if (run !== null) return run;
    throw new NotFoundError(`There is no run called ${runId} in ${runsFolder}.`, {
      hint: 'List the runs that exist with "shear runs", or on the home page.',
      details: { run: runId, folder: runsFolder },
    });
  }

  /** The folder of a run by its name, or null when there is none. */
  static find(runsFolder: string, runId: string): RunFolder | null {
    const folder = join(runsFolder, runId);
    return RUN_ID.test(runId) && existsSync(join(folder, RECIPE)) ? new RunFolder(runId, folder) : null;
  }

  /** The run that a folder belongs to, if it is one; null otherwise. */
  static at(folder: string): RunFolder | null {
    if (!existsSync(join(folder, RECIPE)) || !existsSync(join(folder, STATUS))) return null;
    return new RunFolder(basename(folder), folder);
  }

  /** All runs, newest first. Folders that are no runs, or half-deleted ones, are left out. */
  static async list(runsFolder: string): Promise<RunFolder[]> {
    let names: string[];
    try {
      names = await readdir(runsFolder);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
      throw toAppError(error);
    }
    const runs = names.sort().reverse().map((name) => RunFolder.find(runsFolder, name));
    return runs.filter((run) => run !== null);
  }

  path(name: string): string {
    return join(this.folder, name);
  }

  has(name: string): boolean {
    return existsSync(this.path(name));
  }

  async writeJson(name: string, value: unknown): Promise<void> {
    await writeJsonFile(this.path(name), value);
  }

  async readJson<Schema extends v.GenericSchema>(name: string, schema: Schema): Promise<v.InferOutput<Schema>> {
    return readJsonFile(this.path(name), schema);
  }

  async readRecipe(): Promise<Recipe> {
    return this.readJson(RECIPE, recipeSchema);
  }

  /** The state on disk; a run that says it is running while its process is gone reads as interrupted. */
  async readStatus(): Promise<RunStatus> {
    const status = await this.readJson(STATUS, runStatusSchema);
    if (status.state === 'running' && !(await this.isLocked())) return { ...status, state: 'interrupted' };
    return status;
  }

  async writeStatus(status: RunStatus): Promise<void> {
    await this.writeJson(STATUS, status);
  }

  async writeResult(result: RunResult): Promise<void> {
    await this.writeJson(RESULT, result);
  }

  /** Throws UsageError when the run has not come to its end. */
  async readResult(): Promise<RunResult> {
    if (!this.has(RESULT)) {
      const { state } = await this.readStatus();
      throw new UsageError(`Run ${this.runId} has no result: it is ${state}.`, {
        hint: state === 'running' ? 'Wait until it has finished.' : 'Continue the run first.',
        details: { run: this.runId, state },
      });
    }
    return this.readJson(RESULT, runResultSchema);
  }

  /** Adds a line to the history; synchronous, so that events stay in their order. */
  appendEvent(event: RunEvent): void {
    appendFileSync(this.path(EVENTS), `${JSON.stringify(event)}\n`);
  }

  /** Flushes the history to the disk, so that a power cut leaves all of it. */
  async syncEvents(): Promise<void> {
    try {
      const file = await open(this.path(EVENTS), 'a');
      await file.sync().finally(() => file.close());
    } catch (error) {
      throw toAppError(error, this.path(EVENTS));
    }
  }

  /** Clears up after a crash: half-written files go, and a line that was cut off is ended, so that the next event starts on its own. */
  async mend(): Promise<void> {
    for (const name of await readdir(this.folder)) {
      if (UNFINISHED.test(name)) await rm(this.path(name), { recursive: true, force: true });
    }
    if (!this.has(EVENTS)) return;
    const text = await readFile(this.path(EVENTS), 'utf8');
    if (text !== '' && !text.endsWith('\n')) appendFileSync(this.path(EVENTS), '\n');
  }

  /** The run's history. Lines that a crash cut off are left out. */
  async readEvents(): Promise<RunEvent[]> {
    let text: string;
    try {
      text = await readFile(this.path(EVENTS), 'utf8');
    } catch (error) {
      throw toAppError(error);
    }
    const events: RunEvent[] = [];
    for (const line of text.split('\n')) {
      if (line === '') continue;
      let value: unknown;
      try {
        value = JSON.parse(line);
      } catch {
        continue;
      }
      const parsed = v.safeParse(runEventSchema, value);
      if (parsed.success) events.push(parsed.output);
    }
    return events;
  }

  async isLocked(): Promise<boolean> {
    return isLocked(this.path(LOCK));
  }

  /** Claims the run for this process; call the returned function to let go. Throws UsageError if another process works on it. */
  async lock(): Promise<() => Promise<void>> {
    return takeLock(this.path(LOCK));
  }

  async summary(): Promise<RunSummary> {
    const [recipe, status] = await Promise.all([this.readRecipe(), this.readStatus()]);
    return {
      runId: this.runId,
      folder: this.folder,
      state: status.state,
      lastStage: status.finished.at(-1) ?? null,
      startedAt: status.startedAt,
      recipe,
      result: status.state === 'done' ? await this.readResult() : null,
      error: status.error,
    };
  }

  /** Bytes of all that the run has left in its folder so far. */
  async writtenBytes(): Promise<number> {
    try {
      const sizes = (await readdir(this.folder)).map(async (name) => (await stat(this.path(name))).size);
      return (await Promise.all(sizes)).reduce((sum, bytes) => sum + bytes, 0);
    } catch (error) {
      throw toAppError(error);
    }
  }

  /** Where the export stage gathers its files: beside the folder that the user chose, in which they then appear at once. */
  async partialOut(): Promise<string> {
    const { out } = await this.readRecipe();
    return join(dirname(out), `.${basename(out)}.partial-${this.runId}`);
  }

  /** Removes what an export that was killed has left there. Throws FormatError when the recipe cannot be read. */
  async removePartialOut(): Promise<void> {
    const partial = await this.partialOut();
    try {
      await rm(partial, { recursive: true, force: true });
    } catch (error) {
      throw toAppError(error, partial);
    }
  }

  /**
   * Removes the run for good, with what a killed export left beside its result: renamed first, so that a half-deleted
   * run is never listed. Throws UsageError while it is alive.
   */
  async delete(): Promise<void> {
    if (await this.isLocked()) {
      throw new UsageError(`Run ${this.runId} is going on and cannot be deleted.`, { hint: 'Cancel it first.', details: { run: this.runId } });
    }
    try {
      await this.removePartialOut();
    } catch (error) {
      // A damaged recipe does not say where the result was to be, and must not keep its run from being deleted.
      if (!(error instanceof FormatError)) throw error;
    }
    const trash = join(this.folder, '..', `${TRASH}${this.runId}`);
    try {
      await rename(this.folder, trash);
      await rm(trash, { recursive: true, force: true });
    } catch (error) {
      throw toAppError(error);
    }
  }
}

/** Summaries of all runs, newest first; a run whose files are damaged is left out rather than hiding the others. */
export async function listRuns(runsFolder: string): Promise<RunSummary[]> {
  const summaries: RunSummary[] = [];
  for (const run of await RunFolder.list(runsFolder)) {
    try {
      summaries.push(await run.summary());
    } catch (error) {
      if (error instanceof InternalError) throw error;
    }
  }
  return summaries;
}

/** Whether a run in this state can go on. */
export const canContinue = (state: RunState): boolean => state === 'interrupted' || state === 'failed' || state === 'cancelled';
