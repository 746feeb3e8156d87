/** The service behind the window, on the bundled model: every call answered, one run at a time, cancelled and continued. */
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { exampleModel, starterTexts } from '../../../main/engine/jobs/bundled';
import { completeRecipe } from '../../../main/engine/jobs/recipe';
import { createEngineService, type EngineService } from '../../../main/engine/jobs/service';
import type { Recipe, RecipeInput } from '../../../preload/contract/recipe';
import type { RunEvent, RunState } from '../../../preload/contract/run';

let folder: string;
let service: EngineService;
let events: RunEvent[];
let pieces: string[];
let listeners: ((event: RunEvent) => void)[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'shear-service-'));
  events = [];
  pieces = [];
  listeners = [];
  service = open();
});
afterEach(async () => {
  await service.shutdown();
  await rm(folder, { recursive: true, force: true });
});

function open(): EngineService {
  return createEngineService({
    runsFolder: join(folder, 'runs'), threads: 1,
    emit: (name, payload) => {
      if (name === 'run.event') {
        const event = payload as RunEvent;
        events.push(event);
        for (const listener of listeners) listener(event);
      }
      if (name === 'text.piece') pieces.push((payload as { text: string }).text);
    },
  });
}

/** Resolves when an event that fits arrives. */
function until(fits: (event: RunEvent) => boolean): Promise<RunEvent> {
  return new Promise((resolve) => {
    listeners.push((event) => {
      if (fits(event)) resolve(event);
    });
  });
}

const ended = (state: RunState) => (event: RunEvent) => event.type === 'state' && event.state === state;

async function recipe(changes: Partial<RecipeInput> = {}): Promise<Recipe> {
  const [text] = await starterTexts();
  return completeRecipe({
    model: exampleModel(), out: join(folder, 'out'), size: { kind: 'ratio', ratio: 0.2 }, budgetTokens: 4096,
    sources: [{ kind: 'text', path: text?.path ?? '', name: 'stories' }], training: { length: 64, batch: 4, dropout: 0.1 },
    method: { analysisTokens: 128 }, recovery: { rounds: 1, heldBackShare: 0.02 }, ...changes,
  });
}

describe('the service', () => {
  it('inspects models, previews texts, and forecasts sizes', async () => {
    expect(await service['models.inspect']({ path: exampleModel() })).toMatchObject({ parameters: 260032, problems: [] });
    const [text] = await starterTexts();
    const preview = await service['texts.preview']({ path: text?.path ?? '', model: exampleModel() });
    expect(preview.tokens).toBeGreaterThan(1000);
    expect((await service['texts.preview']({ path: text?.path ?? '' })).tokens).toBe(0);
    const forecast = await service['plan.size']({ model: exampleModel(), size: { kind: 'ratio', ratio: 0.25 }, mode: 'everywhere', target: { format: 'gguf', dtype: 'F16' } });
    expect(forecast.removedFraction).toBeCloseTo(0.25, 2);
  });

  it('estimates time, memory and disk', async () => {
    const estimate = await service['plan.check']({ recipe: await recipe() });
    expect(estimate.problems).toEqual([]);
    expect(estimate.seconds).toBeGreaterThan(0.1);
    expect(estimate.peakBytes).toBeGreaterThan(1e8);
  });

  it('cancels a run in the middle, leaves nothing, and continues it to the end', async () => {
    const pruning = until((event) => event.type === 'stage' && event.stage === 'prune');
    const { runId } = await service['runs.start']({ recipe: await recipe() });
    await expect(service['runs.start']({ recipe: await recipe() })).rejects.toMatchObject({ code: 'usage', message: expect.stringContaining('Another run is going on') as unknown });
    await pruning;
    const cancelled = until(ended('cancelled'));
    await service['runs.cancel']({ runId });
    await cancelled;
    expect(existsSync(join(folder, 'out'))).toBe(false);
    expect((await readdir(folder)).filter((name) => name !== 'runs')).toEqual([]);

    const done = until(ended('done'));
    await expect.poll(async () => (await service['runs.list']({}))[0]?.state).toBe('cancelled');
    await service['runs.continue']({ runId });
    await done;
    const result = await service['runs.result']({ runId });
    expect(result.removedFraction).toBeCloseTo(0.2, 2);
    expect(existsSync(result.report)).toBe(true);
    expect(events.flatMap((event) => (event.type === 'stage' ? [event.stage] : []))).toEqual(['prepare', 'measure', 'analyse', 'prune', 'prune', 'recover', 'evaluate', 'export']);
    const [summary] = await service['runs.list']({});
    expect(summary).toMatchObject({ runId, state: 'done', lastStage: 'export' });
    expect((await service['runs.events']({ runId })).length).toBeGreaterThan(8);

    const exported = await service['runs.export']({ runId, target: { format: 'gguf', dtype: 'F16' }, out: folder });
    expect(exported.path).toBe(join(folder, 'stories260K-sheared-20-f16.gguf'));
    expect(exported.maxLogitDifference).toBeLessThanOrEqual(exported.allowedDifference);

    await service['runs.delete']({ runId });
    expect(await service['runs.list']({})).toEqual([]);
    expect(existsSync(result.report)).toBe(true);
  });

  it('pauses a run when it is shut down, and continues it when it is started again', async () => {
    const recovering = until((event) => event.type === 'stage' && event.stage === 'recover');
    const { runId } = await service['runs.start']({ recipe: await recipe() });
    await recovering;
    await service.shutdown();
    service = open();
    expect((await service['runs.list']({}))[0]).toMatchObject({ runId, state: 'interrupted', lastStage: 'prune' });
    const done = until(ended('done'));
    await service['runs.continue']({ runId });
    await done;
    expect(await service['runs.result']({ runId })).toMatchObject({ runId });
  });

  it('tells a failure as an event and keeps the run', async () => {
    const failed = until(ended('failed'));
    // The beginning, which is looked at before a run, is sound.
    const path = join(folder, 'broken.txt');
    await writeFile(path, Buffer.concat([Buffer.from('Once upon a time.\n<|endoftext|>\n'.repeat(100_000)), Buffer.from([0xff])]));
    const { runId } = await service['runs.start']({ recipe: await recipe({ sources: [{ kind: 'text', path, name: 'broken' }], budgetTokens: 4_000_000 }) });
    expect(await failed).toMatchObject({ type: 'state', error: { code: expect.any(String) as unknown } });
    expect((await service['runs.list']({}))[0]).toMatchObject({ runId, state: 'failed' });
    await expect(service['runs.result']({ runId })).rejects.toMatchObject({ code: 'usage' });
  });

  it('writes text piece by piece, and stops when told', async () => {
    const request = { model: exampleModel(), prompt: 'Once upon a time', seed: 1, temperature: 0, streamId: 'a' };
    const generated = await service['text.generate']({ ...request, tokens: 30 });
    expect(generated.ids).toHaveLength(30);
    expect(pieces.join('')).toBe(generated.text);
    expect(generated.text).toMatch(/^, there was a/);
    const long = service['text.generate']({ ...request, tokens: 400, temperature: 1 });
    await expect.poll(() => pieces.length).toBeGreaterThan(40);
    await service['text.stop']({ streamId: 'a' });
    expect((await long).ids.length).toBeLessThan(400);
  });
});
