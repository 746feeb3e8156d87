/** When a stage that is asked to stop obeys: at its next state, or in its middle where there is none soon. */
import { describe, expect, it } from 'vitest';
import { SoftStop } from '../../../main/engine/jobs/soft-stop';

describe('A stage that is asked to stop', () => {
  it('stops at once where it keeps no states, and where it was asked before it began', () => {
    const controller = new AbortController();
    const stop = new SoftStop(controller.signal);
    expect(stop.signal.aborted).toBe(false);
    controller.abort('cancel');
    expect(stop.signal.reason).toBe('cancel');
    expect(new SoftStop(controller.signal).signal.aborted).toBe(true);
  });

  it('stops at its next state where it keeps some', () => {
    const controller = new AbortController();
    const stop = new SoftStop(controller.signal);
    expect(stop.wantsState()).toBe(false);
    controller.abort('cancel');
    expect(stop.signal.aborted).toBe(false);
    expect(stop.wantsState()).toBe(true);
    stop.now();
    expect(stop.signal.reason).toBe('cancel');
    expect(stop.wantsState()).toBe(false);
  });

  it('stops in its middle where the next state takes too long', async () => {
    const controller = new AbortController();
    const stop = new SoftStop(controller.signal, { graceMs: 10 });
    stop.wantsState();
    controller.abort('cancel');
    expect(stop.signal.aborted).toBe(false);
    await new Promise<void>((resolve) => stop.signal.addEventListener('abort', () => {
      resolve();
    }));
    expect(stop.wantsState()).toBe(false);
  });

  it('is not held up once it is over', async () => {
    const controller = new AbortController();
    const stop = new SoftStop(controller.signal, { graceMs: 5 });
    stop.wantsState();
    stop.dispose();
    controller.abort('cancel');
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(stop.signal.aborted).toBe(false);
  });
});
