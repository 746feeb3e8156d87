/** Sizes in the person's own terms, and parts kept whole: what is asked of the engine and what becomes of the recipe. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { SizeForecast } from '../../../preload/contract/run';
import { amountOf, BYTE_UNITS, COUNT_UNITS, valueOf } from '../../../renderer/state/amount';
import { CallError } from '../../../renderer/state/bridge.svelte';
import { Job } from '../../../renderer/state/job.svelte';
import { LockChoice } from '../../../renderer/state/locks.svelte';
import { SizeChoice } from '../../../renderer/state/size.svelte';
import { UndoQueue } from '../../../renderer/state/undo.svelte';
import { FakeBridge, forecast, inspection } from './fake-bridge';

const LARGE: SizeForecast = { ...forecast(0.2), parametersBefore: 7e9, parametersAfter: 5.678e9, bytesBefore: 14e9, bytesAfter: 11.356e9 };

function sized(answer: SizeForecast = LARGE): { fake: FakeBridge; size: SizeChoice } {
  const fake = new FakeBridge({ 'plan.size': () => answer });
  return { fake, size: new SizeChoice(fake, '/m') };
}

describe('an amount', () => {
  it('is written in the unit that suits it', () => {
    expect(amountOf(11.356e9, BYTE_UNITS)).toEqual({ number: 11.4, unit: 'GB' });
    expect(amountOf(520_000, BYTE_UNITS)).toEqual({ number: 520, unit: 'kB' });
    expect(amountOf(300, BYTE_UNITS)).toEqual({ number: 0.3, unit: 'kB' });
    expect(amountOf(134_515_008, COUNT_UNITS)).toEqual({ number: 135, unit: 'million' });
  });

  it('stands for a whole number, at least one', () => {
    expect(valueOf({ number: 1.5, unit: 'GB' }, BYTE_UNITS)).toBe(1_500_000_000);
    expect(valueOf({ number: 0.0001, unit: 'kB' }, BYTE_UNITS)).toBe(1);
    expect(valueOf({ number: 1e300, unit: 'billion' }, COUNT_UNITS)).toBe(Number.MAX_SAFE_INTEGER);
  });
});

describe('the size by goal', () => {
  beforeEach(() => vi.useFakeTimers());
  afterEach(() => vi.useRealTimers());

  it('starts each new way near what the one before led to, and keeps what was entered', async () => {
    const { size } = sized();
    size.refresh();
    await vi.runAllTimersAsync();
    size.setKind('bytes');
    expect(size.file).toEqual({ number: 11.4, unit: 'GB' });
    size.setFile({ number: 9, unit: 'GB' });
    size.setKind('memory');
    expect(size.memory).toEqual({ number: 12, unit: 'GB' });
    size.setKind('parameters');
    expect(size.parameters).toEqual({ number: 5.68, unit: 'billion' });
    size.setKind('bytes');
    expect(size.size).toEqual({ kind: 'bytes', bytes: 9e9 });
    size.setKind('ratio');
    expect(size.size).toEqual({ kind: 'ratio', ratio: 0.2 });
  });

  it('tells the engine the memory with the text and the program beside the weights', async () => {
    const { fake, size } = sized();
    size.setKind('memory');
    size.setMemory({ number: 8, unit: 'GB' });
    size.setContext(2048);
    await vi.runAllTimersAsync();
    expect(fake.requests('plan.size')[0]).toMatchObject({ size: { kind: 'memory', bytes: 8e9, context: 2048, allowance: 500_000_000 } });
  });

  it('ignores what is no amount', () => {
    const { size } = sized();
    for (const number of [Number.NaN, 0, -3, Number.POSITIVE_INFINITY]) {
      size.setFile({ number, unit: 'MB' });
      size.setMemory({ number, unit: 'MB' });
      size.setParameters({ number, unit: 'thousand' });
    }
    size.setContext(Number.NaN);
    expect([size.file.number, size.memory.number, size.parameters.number, size.context]).toEqual([1, 4, 1, 4096]);
    size.setContext(-5);
    expect(size.context).toBe(1);
  });

  it('counts the first file alone: the others are asked about for their programs', async () => {
    const { fake, size } = sized();
    size.setKind('bytes');
    size.setCounted({ format: 'gguf', dtype: 'Q4_K_M' });
    await vi.runAllTimersAsync();
    expect(fake.requests('plan.size')).toMatchObject([
      { size: { kind: 'bytes' }, target: { dtype: 'Q4_K_M' } },
      { size: { kind: 'ratio', ratio: 0 }, target: { format: 'safetensors', dtype: 'F16' } },
      { size: { kind: 'ratio', ratio: 0 }, target: { format: 'gguf', dtype: 'F16' } },
    ]);
  });

  it('does not go on with a size that the model has already', async () => {
    const { size } = sized(forecast(0));
    size.setKind('parameters');
    await vi.runAllTimersAsync();
    expect(size.isMet).toBe(true);
    expect(size.isReady).toBe(false);
  });

  it("shows the engine's words for a size that cannot be reached, until it can", async () => {
    const { fake, size } = sized();
    fake.answers['plan.size'] = ({ size: wish }) => {
      if (wish.kind === 'bytes' && wish.bytes < 1e9) throw new CallError({ code: 'plan', message: 'Too small.', hint: 'Choose more.', details: {} });
      return LARGE;
    };
    size.setKind('bytes');
    size.setFile({ number: 5, unit: 'MB' });
    await vi.runAllTimersAsync();
    expect(size.error?.hint).toBe('Choose more.');
    expect(size.isReady).toBe(false);
    size.setFile({ number: 5, unit: 'GB' });
    await vi.runAllTimersAsync();
    expect(size.error).toBeNull();
    expect(size.isReady).toBe(true);
  });

  it('warns when the goal takes more than half of the layers', async () => {
    const { size } = sized({ ...LARGE, removedFraction: 0.55 });
    size.setKind('memory');
    await vi.runAllTimersAsync();
    expect(size.isRisky).toBe(true);
  });

  it('goes into the recipe with the locks, and into the name of the result', async () => {
    const fake = new FakeBridge({
      'plan.size': () => forecast(0.2), 'models.inspect': ({ path }) => inspection(path), 'paths.suggestOut': ({ name }) => `/home/ada/${name}`,
    });
    const job = new Job(fake, '/m', new UndoQueue());
    await job.model.inspect();
    job.size.setKind('memory');
    job.size.setMemory({ number: 8, unit: 'GB' });
    job.size.locks.toggle(1, 'attention');
    await job.check.enter();
    await vi.runAllTimersAsync();
    expect(job.check.out).toBe('/home/ada/small-for-8-GB-memory');
    expect(job.check.recipe).toMatchObject({ size: { kind: 'memory', bytes: 8e9 }, locks: ['2:attention'] });
    job.size.setKind('bytes');
    job.size.setFile({ number: 500, unit: 'MB' });
    await job.check.enter();
    expect(job.check.out).toBe('/home/ada/small-in-500-MB');
    job.size.setKind('parameters');
    job.size.setParameters({ number: 100, unit: 'million' });
    await job.check.enter();
    expect(job.check.out).toBe('/home/ada/small-with-100-million');
  });

  it('keeps the file that it counts first when others are ticked, and passes on when that one is taken out', () => {
    const job = new Job(new FakeBridge({}), '/m', new UndoQueue());
    job.size.setCounted({ format: 'gguf', dtype: 'Q4_K_M' });
    job.check.toggleExport({ format: 'onnx', dtype: 'F32' });
    expect(job.check.exports.map(({ dtype }) => dtype)).toEqual(['Q4_K_M', 'F16', 'F16', 'F32']);
    job.check.toggleExport({ format: 'gguf', dtype: 'Q4_K_M' });
    expect(job.size.counted).toEqual({ format: 'safetensors', dtype: 'F16' });
  });
});

describe('locks', () => {
  const model = inspection('/m');

  it('are spelt as recipes do, in the order of the layers, and each change is told', () => {
    const changed = vi.fn();
    const locks = new LockChoice(changed);
    locks.toggle(11, 'mlp');
    locks.toggle(1, 'attention');
    locks.toggle(0, 'mlp');
    expect(locks.list).toEqual(['1:mlp', '2:attention', '12:mlp']);
    locks.toggle(0, 'mlp');
    expect(locks.list).toEqual(['2:attention', '12:mlp']);
    locks.clear();
    expect(locks.count).toBe(0);
    expect(changed).toHaveBeenCalledTimes(5);
  });

  it('are set and taken back by the row, and for the outermost layers', () => {
    const locks = new LockChoice(() => undefined);
    locks.toggle(1, 'mlp');
    locks.toggleRow('mlp', 3);
    expect(locks.list).toEqual(['1:mlp', '2:mlp', '3:mlp']);
    locks.toggleRow('mlp', 3);
    expect(locks.count).toBe(0);
    locks.lockEnds(3);
    expect(locks.list).toEqual(['1:attention', '1:mlp', '3:attention', '3:mlp']);
    const alone = new LockChoice(() => undefined);
    alone.lockEnds(1);
    expect(alone.count).toBe(2);
  });

  it('bind all layers where all get the same widths, and only their own layer else', () => {
    const locks = new LockChoice(() => undefined);
    locks.toggle(0, 'attention');
    expect(locks.binds(1, 'attention', 'everywhere')).toBe(true);
    expect(locks.binds(1, 'attention', 'quality')).toBe(false);
    expect(locks.binds(1, 'mlp', 'everywhere')).toBe(false);
  });

  it('say how much cannot go, and how much more the rest loses', () => {
    const locks = new LockChoice(() => undefined);
    locks.toggle(0, 'mlp');
    const total = 2 * 45_312;
    const quality = locks.effect(model, 'quality', 0.2);
    expect(quality.keptShare).toBeCloseTo(33_024 / total, 9);
    expect(quality.restLoses).toBeCloseTo((0.2 * total) / (total - 33_024), 9);
    expect(locks.effect(model, 'everywhere', 0.1).keptShare).toBeCloseTo(66_048 / total, 9);
    locks.toggle(0, 'attention');
    expect(locks.effect(model, 'everywhere', 0)).toEqual({ keptShare: 1, restLoses: 0 });
  });
});
