/** The one progress figure of a run: honest, never going back, corrected by what happens. */
import { describe, expect, it } from 'vitest';
import { ProgressMeter } from '../../../main/engine/jobs/progress-meter';

const estimates = [
  { stage: 'prepare', seconds: 10 },
  { stage: 'measure', seconds: 30 },
  { stage: 'prune', seconds: 60 },
] as const;

describe('the progress meter', () => {
  it('knows no time left before it has seen anything', () => {
    const meter = new ProgressMeter(estimates, []);
    meter.start('prepare', 0);
    expect(meter.read(0.1)).toEqual({ overall: 0, secondsLeft: null });
  });

  it('weighs stages by their estimates', () => {
    const meter = new ProgressMeter(estimates, []);
    meter.start('prepare', 0);
    meter.finish(10);
    meter.start('measure', 10);
    meter.update({ done: 1, total: 2 });
    expect(meter.read(25).overall).toBeCloseTo(0.25, 6);
    expect(meter.read(25).secondsLeft).toBeCloseTo(75, 3);
  });

  it('corrects all that is left by the pace so far', () => {
    const meter = new ProgressMeter(estimates, []);
    meter.start('prepare', 0);
    meter.finish(20);
    meter.start('measure', 20);
    // Everything takes twice as long as estimated.
    expect(meter.read(20).secondsLeft).toBeCloseTo(180, 3);
  });

  it('never goes back, even when a stage finds more work', () => {
    const meter = new ProgressMeter(estimates, []);
    meter.start('prepare', 0);
    meter.update({ done: 9, total: 10 });
    const before = meter.read(9).overall;
    meter.update({ done: 9, total: 100 });
    expect(meter.read(10).overall).toBeGreaterThanOrEqual(before);
  });

  it('begins where a continued run stopped', () => {
    const meter = new ProgressMeter(estimates, ['prepare', 'measure']);
    meter.start('prune', 0);
    expect(meter.read(0).overall).toBeCloseTo(0.4, 6);
  });

  it('ends at one', () => {
    const meter = new ProgressMeter(estimates, []);
    let now = 0;
    for (const { stage } of estimates) {
      meter.start(stage, now);
      now += 5;
      meter.finish(now);
    }
    expect(meter.read(now).overall).toBe(1);
    expect(meter.read(now).secondsLeft).toBe(0);
  });
});
