/** The state machine of a run, with small steps that write real files: order, continuing, cancelling, failing. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { completeRecipe } from '../../../main/engine/jobs/recipe';
import { PAUSE, executeRun, type ExecuteOptions } from '../../../main/engine/jobs/run';
import { RunFolder } from '../../../main/engine/jobs/run-folder';
import type { Step } from '../../../main/engine/jobs/step';
import { FormatError } from '../../../main/engine/support/errors';
import { breathe } from '../../../main/engine/support/progress';
import type { RunEvent, RunResult, Stage } from '../../../preload/contract/run';

let runs: string;
let folder: RunFolder;
let events: RunEvent[];
let done: Stage[];

const side = { parameters: 10, linearParameters: 8, bytes: 20, tokensPerSecond: 5 };

beforeEach(async () => {
  runs = await mkdtemp(join(tmpdir(), 'shear-run-'));
  events = [];
  done = [];
  folder = await RunFolder.create(runs, completeRecipe({
    model: '/models/small', out: '/results/small', size: { kind: 'ratio', ratio: 0.2 }, budgetTokens: 1000,
    sources: [{ kind: 'text', path: '/texts/a.txt', name: 'a' }],
  }));
});
afterEach(async () => {
  await rm(runs, { recursive: true, force: true });
});

function options(signal = new AbortController().signal): ExecuteOptions {
  return { threads: 1, signal, estimates: [{ stage: 'prepare', seconds: 1 }, { stage: 'prune', seconds: 1 }, { stage: 'export', seconds: 1 }], emit: (event) => events.push(event) };
}

function step(stage: Stage, work: Step['run'] = () => Promise.resolve()): Step {
  return {
    stage,
    run: async (context, report) => {
      report({ done: 0, total: 2 });
      await work(context, report);
      await breathe(context.signal);
      report({ done: 2, total: 2 });
      done.push(stage);
    },
  };
}

const writesResult = step('export', async ({ folder: target }) => {
  const result: RunResult = {
    runId: target.runId, removedFraction: 0.2, before: side, after: side, perplexities: [], samples: [], layers: [], exports: [],
    report: '/results/small/report.html', seconds: 1, peakBytes: 1,
  };
  await target.writeResult(result);
});

describe('a run', () => {
  it('executes its steps in order and ends as done', async () => {
    const result = await executeRun(folder, [step('prepare'), step('prune'), writesResult], options());
    expect(done).toEqual(['prepare', 'prune', 'export']);
    expect(result.runId).toBe(folder.runId);
    const summary = await folder.summary();
    expect(summary).toMatchObject({ state: 'done', lastStage: 'export', error: null });
    expect(summary.result).toEqual(result);
  });

  it('tells stages, progress that never goes back, and its end; the history on disk has the same stages', async () => {
    await executeRun(folder, [step('prepare'), step('prune'), writesResult], options());
    const overall = events.flatMap((event) => (event.type === 'progress' ? [event.overall] : []));
    expect(overall).toEqual([...overall].sort((one, other) => one - other));
    expect(overall.at(-1)).toBe(1);
    expect(events.at(-1)).toMatchObject({ type: 'state', state: 'done' });
    const stages = (all: readonly RunEvent[]): Stage[] => all.flatMap((event) => (event.type === 'stage' ? [event.stage] : []));
    expect(stages(events)).toEqual(['prepare', 'prune', 'export']);
    expect(stages(await folder.readEvents())).toEqual(['prepare', 'prune', 'export']);
  });

  it('goes on after the last finished stage when it failed', async () => {
    const broken = step('prune', () => Promise.reject(new FormatError('the weights are cut short', { hint: 'Copy them again.', details: { problems: ['a', 'b'] } })));
    await expect(executeRun(folder, [step('prepare'), broken, writesResult], options())).rejects.toThrow('cut short');
    expect(await folder.summary()).toMatchObject({
      state: 'failed', lastStage: 'prepare', error: { code: 'format', message: 'the weights are cut short', hint: 'Copy them again.', details: { problems: ['a', 'b'] } },
    });
    done = [];
    await executeRun(folder, [step('prepare'), step('prune'), writesResult], options());
    expect(done).toEqual(['prune', 'export']);
    expect(await folder.summary()).toMatchObject({ state: 'done', error: null });
  });

  it('stops at a cancel and can go on later', async () => {
    const controller = new AbortController();
    const cancels = step('prune', async ({ signal }) => {
      controller.abort('cancel');
      await breathe(signal);
    });
    await expect(executeRun(folder, [step('prepare'), cancels, writesResult], options(controller.signal))).rejects.toMatchObject({ code: 'cancelled' });
    expect(await folder.summary()).toMatchObject({ state: 'cancelled', lastStage: 'prepare', error: null });
    expect(await folder.isLocked()).toBe(false);
  });

  it('is interrupted, not cancelled, when the program closes', async () => {
    const controller = new AbortController();
    const closes = step('prune', () => {
      controller.abort(PAUSE);
      return Promise.resolve();
    });
    await expect(executeRun(folder, [step('prepare'), closes, writesResult], options(controller.signal))).rejects.toMatchObject({ code: 'cancelled' });
    expect((await folder.summary()).state).toBe('interrupted');
  });

  it.each(['cancel', PAUSE])('that is stopped (%s) keeps the state of its next step, and loses nothing', async (reason) => {
    const controller = new AbortController();
    const worked: number[] = [];
    const counts = step('prune', async ({ checkpoint, signal }) => {
      const { saved, offer } = checkpoint.phase('count');
      for (let count = saved === null ? 0 : Number(saved.data); count < 5; ) {
        await breathe(signal);
        worked.push(count);
        if (count === 2) controller.abort(reason);
        // In the middle of a step: what it has done so far could not be kept.
        await breathe(signal);
        count++;
        const state = { data: count, arrays: {} };
        await offer(() => state);
      }
    });
    await expect(executeRun(folder, [counts, writesResult], { ...options(controller.signal), checkpointMs: 1e9 })).rejects.toMatchObject({ code: 'cancelled' });
    expect(worked).toEqual([0, 1, 2]);
    await executeRun(folder, [counts, writesResult], { ...options(), checkpointMs: 1e9 });
    expect(worked).toEqual([0, 1, 2, 3, 4]);
  });

  it('counts the time of all attempts', async () => {
    const slow = step('prepare', () => new Promise((resolve) => setTimeout(resolve, 30)));
    const broken = step('prune', () => Promise.reject(new FormatError('no')));
    await expect(executeRun(folder, [slow, broken], options())).rejects.toThrow();
    const first = (await folder.readStatus()).activeSeconds;
    expect(first).toBeGreaterThan(0.025);
    await executeRun(folder, [slow, writesResult], options());
    expect((await folder.readStatus()).activeSeconds).toBeGreaterThanOrEqual(first);
    expect((await folder.readStatus()).peakBytes).toBeGreaterThan(1e6);
  });

  it('reports a bug as an internal error, not as the user’s fault', async () => {
    const bug = step('prepare', () => Promise.reject(new TypeError('x is not a function')));
    await expect(executeRun(folder, [bug], options())).rejects.toMatchObject({ code: 'internal' });
  });

  it('is refused while another process works on it', async () => {
    await writeFile(folder.path('lock.json'), JSON.stringify({ pid: process.pid, birth: '' }));
    await expect(executeRun(folder, [writesResult], options())).rejects.toMatchObject({ code: 'usage' });
  });
});
