/** The wizard's order and what is made of drops. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { CallError } from '../../../renderer/state/bridge.svelte';
import { AppState } from '../../../renderer/state/app.svelte';
import { UNDO_MS } from '../../../renderer/state/undo.svelte';
import { FakeBridge, forecast, inspection, preview } from './fake-bridge';

const EXAMPLE = {
  model: '/app/example',
  texts: [{ path: '/app/stories.txt', name: 'Stories', about: 'short', licence: 'MIT' }],
};

function bridge(): FakeBridge {
  return new FakeBridge({
    'app.example': () => EXAMPLE,
    'app.about': () => ({ version: '0.1.0', platform: 'linux', licences: '' }),
    'app.takeOpened': () => [],
    'runs.list': () => [],
    'runs.events': () => [],
    'runs.start': () => ({ runId: 'run-1' }),
    'runs.continue': ({ runId }) => ({ runId }),
    'models.inspect': ({ path }) => inspection(path),
    'texts.preview': ({ path }) => preview(path),
    'plan.size': ({ size }) => forecast(size.kind === 'ratio' ? size.ratio : 0),
    'plan.check': () => ({
      seconds: 60, perStage: [], peakBytes: 1, availableBytes: 2, diskBytes: 1, freeDiskBytes: 2, trainingTokens: 1, problems: [],
    }),
    'paths.suggestOut': ({ name }) => `/home/ada/${name}`,
  });
}

describe('the wizard', () => {
  beforeEach(() => vi.useFakeTimers());
  afterEach(() => vi.useRealTimers());

  it('goes from the example to a started run with defaults alone', async () => {
    const fake = bridge();
    const app = new AppState(fake);
    await app.start();
    await app.tryExample();
    expect(app.page).toBe('model');
    app.next();
    await vi.runAllTimersAsync();
    app.next();
    expect(app.page).toBe('texts');
    expect(app.job?.texts.sources.map((source) => source.name)).toEqual(['Stories']);
    app.next();
    expect(app.page).toBe('check');
    await vi.runAllTimersAsync();
    expect(app.job?.check.isReady).toBe(true);
    await app.startRun();
    expect(app.page).toBe('run');
    expect(fake.requests('runs.start')).toMatchObject([
      { recipe: { model: EXAMPLE.model, size: { kind: 'ratio', ratio: 0.2 }, out: '/home/ada/small-minus-20-percent' } },
    ]);
  });

  it('stays on the model while it has an error, and shows a refusal', async () => {
    const fake = bridge();
    fake.answers['models.inspect'] = () => {
      throw new CallError({ code: 'format', message: 'Not a model.', hint: 'Drop its folder.', details: {} });
    };
    const app = new AppState(fake);
    await app.openModel('/x');
    expect(app.canGoOn).toBe(false);
    app.next();
    expect(app.page).toBe('model');
    expect(app.job?.model.error?.hint).toBe('Drop its folder.');
  });

  it('keeps entries when one goes back', async () => {
    const app = new AppState(bridge());
    await app.openModel('/x');
    app.next();
    app.job?.size.setPercent(35);
    await vi.runAllTimersAsync();
    app.back();
    app.next();
    expect(app.job?.size.percent).toBe(35);
  });

  it('marks a run as interrupted when the engine is lost, and continues it', async () => {
    const fake = bridge();
    const app = new AppState(fake);
    await app.start();
    await app.tryExample();
    await app.startRun();
    fake.send('engine.lost', { message: 'It stopped.' });
    expect(app.run?.view.state).toBe('interrupted');
    await app.continueAfterLoss();
    expect(app.engineLost).toBe('');
    expect(app.run?.view.state).toBe('running');
    expect(fake.requests('runs.continue')).toEqual([{ runId: 'run-1' }]);
  });
});

describe('a drop', () => {
  it('of a model with texts opens the model and adds the texts to it', async () => {
    const app = new AppState(bridge());
    await app.takePaths(['/m/model.gguf', '/t/a.txt']);
    expect(app.job?.model.path).toBe('/m/model.gguf');
    expect(app.candidates).toBeNull();
    expect(app.job?.texts.sources.map((source) => source.path)).toEqual(['/t/a.txt']);
    expect(app.notice).toContain('“model.gguf” as the model and 1 text');
  });

  it('of several models looks at each and lets the person choose; texts come along, also to another choice', async () => {
    const fake = bridge();
    const app = new AppState(fake);
    await app.takePaths(['/m/one.gguf', '/t/a.txt', '/m/two.gguf', '/photo.png']);
    expect(app.page).toBe('model');
    expect(app.job).toBeNull();
    expect(app.canGoOn).toBe(false);
    expect(app.notice).toContain('3 possible models were dropped and 1 text for step 3');
    expect(app.candidates?.models.map(({ path }) => path)).toEqual(['/m/one.gguf', '/m/two.gguf', '/photo.png']);
    expect(app.candidates?.busy).toBe(false);
    const [one, two] = app.candidates?.models ?? [];
    if (one === undefined || two === undefined) throw new Error('nothing to choose from');
    await app.choose(two);
    expect(app.job?.model.path).toBe('/m/two.gguf');
    expect(app.canGoOn).toBe(true);
    await app.takePaths(['/t/b.txt']);
    await app.choose(one);
    expect(app.job?.model.path).toBe('/m/one.gguf');
    expect(app.job?.texts.sources.map((source) => source.path)).toEqual(['/t/a.txt', '/t/b.txt']);
    expect(app.candidates?.models).toHaveLength(3);
  });

  it('of several models of which one can be used takes that one and shows what is wrong with the others', async () => {
    const fake = bridge();
    fake.answers['models.inspect'] = ({ path }) => {
      if (path === '/photo.png') throw new CallError({ code: 'format', message: 'Not a model.', hint: 'Drop its folder.', details: {} });
      const problems = path === '/cut.gguf' ? [{ severity: 'error' as const, code: 'format', message: 'It ends early.' }] : [];
      return { ...inspection(path), problems };
    };
    const app = new AppState(fake);
    await app.takePaths(['/photo.png', '/cut.gguf', '/good.gguf']);
    expect(app.job?.model.path).toBe('/good.gguf');
    expect(app.notice).toContain('the only one that can be used');
    expect(app.candidates?.models.map((model) => model.error?.message ?? model.inspection?.problems[0]?.message)).toEqual(['Not a model.', 'It ends early.', undefined]);
  });

  it('of nothing usable stays with the list, and another drop replaces it', async () => {
    const fake = bridge();
    fake.answers['models.inspect'] = () => {
      throw new CallError({ code: 'format', message: 'Not a model.', details: {} });
    };
    const app = new AppState(fake);
    await app.takePaths(['/a.gguf', '/b.gguf']);
    expect(app.job).toBeNull();
    expect(app.candidates?.usable).toEqual([]);
    app.goTo('home');
    expect(app.canVisit('model')).toBe(true);
    await app.takePaths(['/t/a.txt']);
    expect(app.notice).toContain('Now choose the model');
    fake.answers['models.inspect'] = ({ path }) => inspection(path);
    await app.takePaths(['/c.gguf']);
    expect(app.candidates).toBeNull();
    expect(app.job?.model.path).toBe('/c.gguf');
    expect(app.job?.texts.sources).toHaveLength(1);
  });

  it('of a folder and a file in it that the names do not tell apart is one model', async () => {
    const fake = bridge();
    fake.answers['models.inspect'] = () => inspection('/m/model.gguf');
    const app = new AppState(fake);
    await app.takePaths(['/m', '/m/model.gguf']);
    expect(app.candidates).toBeNull();
    expect(app.job?.model.path).toBe('/m');
    expect(app.notice).toContain('as the model');
  });

  it('of several models is forgotten when a newer one comes while they are looked at', async () => {
    const fake = bridge();
    let release = (): void => undefined;
    fake.answers['models.inspect'] = async ({ path }) => {
      if (path === '/slow.gguf') await new Promise<void>((resolve) => (release = resolve));
      return inspection(path);
    };
    const app = new AppState(fake);
    const first = app.takePaths(['/slow.gguf', '/two.gguf']);
    await app.takePaths(['/new.gguf']);
    release();
    await first;
    expect(app.candidates).toBeNull();
    expect(app.job?.model.path).toBe('/new.gguf');
  });

  it('of texts before a model keeps them for later and says so', async () => {
    const app = new AppState(bridge());
    await app.takePaths(['/t/a.txt']);
    expect(app.page).toBe('home');
    expect(app.notice).toContain('1 text');
    await app.takePaths(['/m']);
    expect(app.job?.texts.sources).toHaveLength(1);
  });

  it('without a place on this computer is refused in words', async () => {
    const app = new AppState(bridge());
    await app.takePaths(['']);
    expect(app.notice).not.toBe('');
    expect(app.job).toBeNull();
  });
});

describe('deleting a run', () => {
  beforeEach(() => vi.useFakeTimers());
  afterEach(() => vi.useRealTimers());

  const run = {
    runId: 'old', folder: '/runs/old', state: 'cancelled', lastStage: null, startedAt: 1, result: null, error: null,
    recipe: {
      version: 1, model: '/m', mode: 'everywhere', size: { kind: 'ratio', ratio: 0.2 }, locks: [], sources: [], budgetTokens: 0, seed: 0, out: '/o',
      exports: [], prompts: [],
      method: {
        name: 'lorashear', warmupShare: 0, pruningShare: 0, periods: 1, shrink: 'halfSpace', epsilon: 0, criteria: {}, unprunableShare: 0,
        analysisRatio: 0, analysisTokens: 1, compensation: 'none', compensationTokens: 1, compensationRidge: 1,
      },
      training: { rank: 1, alpha: 1, learningRate: 1, precision: 'exact', dropout: 0, batch: 1, length: 1 },
      recovery: { beta: 0, temperature: 1, rounds: 1, heldBackShare: 0.1, distillation: 0, links: 1 },
    },
  } as const;

  it('hides it at once and deletes it only when the time for undoing is over', async () => {
    const fake = bridge();
    fake.answers['runs.list'] = () => [{ ...run, recipe: { ...run.recipe, sources: [], locks: [], exports: [], prompts: [] } }];
    fake.answers['runs.delete'] = () => ({});
    const app = new AppState(fake);
    await app.runs.refresh();
    app.runs.remove('old', 'gone');
    expect(app.runs.runs).toHaveLength(0);
    app.undo.undo(app.undo.offers[0]?.id ?? 0);
    expect(app.runs.runs).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(UNDO_MS * 2);
    expect(fake.requests('runs.delete')).toEqual([]);
    app.runs.remove('old', 'gone');
    await vi.advanceTimersByTimeAsync(UNDO_MS * 2);
    expect(fake.requests('runs.delete')).toEqual([{ runId: 'old' }]);
    expect(app.runs.runs).toHaveLength(0);
  });
});
