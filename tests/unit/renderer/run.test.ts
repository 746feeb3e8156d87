/** A run as the window sees it: folded events, live and from the record, and the two models writing. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { RunEvent, RunEventBody } from '../../../preload/contract/run';
import { knowledgeSummary, lossLines, perplexitiesOf, perplexityGroups, perplexitySummary, widthsRows } from '../../../renderer/charts/run-charts';
import { Comparison } from '../../../renderer/state/compare.svelte';
import { emptyView, foldEvents, latestPerplexity, type LayerWidths } from '../../../renderer/state/run-view';
import { RunWatch } from '../../../renderer/state/run.svelte';
import { formatBytes, formatDuration, formatElapsed } from '../../../renderer/text/format';
import { FakeBridge } from './fake-bridge';

function events(...bodies: readonly RunEventBody[]): RunEvent[] {
  return bodies.map((body, index) => ({ runId: 'r', time: 1000 + index, ...body }));
}

describe('the folded view', () => {
  it('knows which stages are over and replaces figures that are told again', () => {
    const view = foldEvents(
      emptyView(),
      events(
        { type: 'stage', stage: 'recover', index: 4, count: 7 },
        { type: 'loss', stage: 'recover', step: 1, loss: 3 },
        { type: 'loss', stage: 'recover', step: 1, loss: 2 },
        { type: 'perplexity', phase: 'recovered', source: 'a', step: 1, perplexity: 9 },
        { type: 'perplexity', phase: 'recovered', source: 'a', step: 2, perplexity: 8 },
      ),
    );
    expect(view.finishedStages).toEqual(['prepare', 'measure', 'analyse', 'prune']);
    expect(view.losses).toEqual([{ stage: 'recover', step: 1, loss: 2 }]);
    expect(latestPerplexity(view, 'a', 'recovered')).toBe(8);
    expect(latestPerplexity(view, 'a', 'full')).toBeNull();
    expect(perplexityGroups(perplexitiesOf(view))).toMatchObject([{ name: 'a', bars: [{ look: 'recovered', value: 8 }] }]);
  });

  it('is whole and without time left when the run is done', () => {
    const view = foldEvents(
      emptyView(),
      events({ type: 'progress', stage: 'export', done: 1, total: 2, overall: 0.9, secondsLeft: 3 }, { type: 'state', state: 'done' }),
    );
    expect(view).toMatchObject({ overall: 1, secondsLeft: null, state: 'done' });
    expect(view.finishedStages).toHaveLength(7);
  });

  it('says in words which part matters most', () => {
    const view = foldEvents(
      emptyView(),
      events(
        { type: 'knowledge', layer: 0, part: 'mlp', source: 'a', deviation: 0.5 },
        { type: 'knowledge', layer: 1, part: 'attention', source: 'b', deviation: 0.7 },
      ),
    );
    expect(knowledgeSummary(view)).toContain('attention of layer 2');
    // With equal widths in every layer no part is kept whole, however much it matters.
    expect(knowledgeSummary(view)).not.toContain('kept whole');
    const locked = events({ type: 'layer', layer: 1, kvHeads: 2, kvHeadsBefore: 2, ffn: 8, ffnBefore: 9, locked: { attention: 'knowledge', mlp: null } });
    expect(knowledgeSummary(foldEvents(view, locked))).toContain('kept whole');
  });

  it('marks the part of a layer that was spared, not the whole layer, nor what loses nothing anywhere', () => {
    const widths = { kvHeadsBefore: 4, ffnBefore: 9 };
    const layers: LayerWidths[] = [
      { layer: 0, kvHeads: 4, ffn: 5, locked: { attention: 'knowledge', mlp: 'knowledge' }, ...widths },
      { layer: 1, kvHeads: 2, ffn: 9, locked: { attention: null, mlp: 'user' }, ...widths },
      { layer: 2, kvHeads: 4, ffn: 4, locked: { attention: null, mlp: null }, ...widths },
    ];
    expect(widthsRows(layers)).toEqual([
      ['1', '4 of 4 (kept whole)', '5 of 9'],
      ['2', '2 of 4', '9 of 9 (locked by you)'],
      ['3', '4 of 4', '4 of 9'],
    ]);
    const onlyChannels = layers.map((layer) => ({ ...layer, kvHeads: 4 }));
    expect(widthsRows(onlyChannels)[1]).toEqual(['2', '4 of 4', '9 of 9 (locked by you)']);
  });

  it('says how many texts are as good as before and which lost most', () => {
    const rows = [
      { source: 'a', full: 10, pruned: 50, recovered: 10.1 },
      { source: 'b', full: 10, pruned: 12, recovered: 15 },
    ];
    expect(perplexitySummary(rows)).toBe(
      'On 1 of 2 texts the smaller model is about as good as the full one, or better. It lost most on “b”: 10 before, 15 now. Lower is better.',
    );
    expect(perplexitySummary(rows.map((row) => ({ ...row, pruned: null, recovered: null })))).toContain('The full model is measured on 2 texts');
  });

  it('thins long lines by averaging', () => {
    const losses = Array.from({ length: 5000 }, (_, step) => ({ step, loss: 2, stage: 'recover' as const }));
    const [line] = lossLines(losses);
    expect(line?.points.length).toBeLessThanOrEqual(300);
    expect(line?.points.every((point) => point.y === 2)).toBe(true);
  });
});

describe('watching a run', () => {
  beforeEach(() => vi.useFakeTimers());
  afterEach(() => vi.useRealTimers());

  it('neither loses nor doubles what arrives while the record is read', async () => {
    const [first, second] = events({ type: 'note', text: 'one' }, { type: 'note', text: 'two' });
    if (first === undefined || second === undefined) throw new Error('two events are made above');
    const fake = new FakeBridge({});
    fake.answers['runs.events'] = () => {
      fake.send('run.event', first);
      fake.send('run.event', second);
      fake.send('run.event', { ...second, runId: 'other' });
      return [first];
    };
    const run = new RunWatch(fake, 'r', () => undefined);
    await run.open();
    expect(run.view.notes).toEqual(['one', 'two']);
    run.close();
    expect(fake.listenerCount('run.event')).toBe(0);
  });

  it('answers a cancel at once and follows when the engine has stopped', async () => {
    const fake = new FakeBridge({ 'runs.events': () => [], 'runs.cancel': () => ({}) });
    const states: string[] = [];
    const run = new RunWatch(fake, 'r', (_, after) => states.push(after.state));
    await run.open();
    const cancelling = run.cancel();
    expect(run.isCancelling).toBe(true);
    await cancelling;
    fake.send('run.event', { runId: 'r', time: 1, type: 'state', state: 'cancelled' });
    await vi.runAllTimersAsync();
    expect(run.isCancelling).toBe(false);
    expect(run.canContinue).toBe(true);
    expect(states).toEqual(['cancelled']);
  });

  it('goes back to what it was when it cannot be continued', async () => {
    const fake = new FakeBridge({ 'runs.events': () => events({ type: 'state', state: 'failed', error: { code: 'disk', message: 'Full.', details: {} } }) });
    const run = new RunWatch(fake, 'r', () => undefined);
    await run.open();
    await run.continue();
    expect(run.view.state).toBe('failed');
    expect(run.error?.code).toBe('usage');
  });
});

describe('two models writing', () => {
  it('take turns and show each piece in their own pane', async () => {
    const fake = new FakeBridge({});
    const order: string[] = [];
    fake.answers['text.generate'] = ({ model, streamId }) => {
      order.push(model);
      fake.send('text.piece', { streamId, text: `${model} says` });
      fake.send('text.piece', { streamId: 'someone else', text: 'no' });
      return { text: `${model} says so`, ids: [], tokensPerSecond: 10 };
    };
    const comparison = new Comparison(fake, 'big', 'small');
    comparison.prompt = 'Hello';
    await comparison.write();
    expect(order).toEqual(['big', 'small']);
    expect([comparison.before.text, comparison.after.text]).toEqual(['big says so', 'small says so']);
    expect(fake.listenerCount('text.piece')).toBe(0);
  });

  it('both stop when one asks to stop', async () => {
    const fake = new FakeBridge({ 'text.stop': () => ({}) });
    const comparison = new Comparison(fake, 'big', 'small');
    fake.answers['text.generate'] = async () => {
      await comparison.stop();
      return { text: 'half', ids: [], tokensPerSecond: 10 };
    };
    comparison.prompt = 'Hello';
    await comparison.write();
    expect(fake.requests('text.generate')).toHaveLength(1);
    expect(comparison.after.status).toBe('idle');
  });
});

describe('words for numbers', () => {
  it('give sizes in decimal units and times as people say them', () => {
    expect(formatBytes(269_030_016)).toBe('269 MB');
    expect(formatBytes(999_700)).toBe('1 MB');
    expect(formatDuration(4)).toBe('less than 10 seconds');
    expect(formatDuration(58)).toBe('about 1 minute');
    expect(formatDuration(5400)).toBe('about 1.5 hours');
    expect(formatElapsed(3790)).toBe('1:03:10');
  });
});
