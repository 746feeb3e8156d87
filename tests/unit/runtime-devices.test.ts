import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { opNames, opRule } from '../../main/engine/graph/ops/table';
import { explainDeviceError } from '../../main/engine/runtime/device-options';
import { SessionError } from '../../main/engine/support/errors';
import type { Comparison, TakeOver } from '../support/device-program';
import { EXAMPLE_MODEL } from '../support/example-model';
import { opCases } from '../support/op-cases';
import { buildDeviceProgram, hasSoftwareDevice, type DeviceProgram } from '../support/software-device';

/** Relative to the largest number of a result: sums of thousands of products in another order differ by 1e-6. */
const CASE_TOLERANCE = 5e-6;

describe.runIf(hasSoftwareDevice)('WebGPU, on a graphics card in software', () => {
  let program: DeviceProgram;
  let comparison: Comparison;
  beforeAll(async () => {
    program = await buildDeviceProgram();
    comparison = (await program.run(['compare', EXAMPLE_MODEL], true)) as Comparison;
  }, 180_000);
  afterAll(() => program.remove());

  it('is found and named', () => {
    expect(comparison.devices).toEqual([
      { name: 'cpu', label: 'the processor', usable: true },
      { name: 'webgpu', label: 'the graphics card', usable: true },
    ]);
  });

  it('computes every operator of the table and its gradient as the CPU does, none of it on the CPU', () => {
    const wrong = Object.entries(comparison.cases).filter(([, difference]) => !(typeof difference === 'number' && difference <= CASE_TOLERANCE));
    expect(wrong).toEqual([]);
    // Operators without a gradient of their own occur in the gradients of others.
    const inGradients = ['ScatterElements'];
    // Cast is for weights that stay on a device (runtime-resident.test.ts), 8-bit products are for the CPU alone.
    const covered = new Set([...Object.keys(opCases), ...inGradients, 'Cast', 'Int8Product', 'Int8Columns']);
    expect(opNames.filter((op) => !covered.has(op) && opRule(op).gradient === undefined)).toEqual([]);
  });

  it('goes on with a text from cached keys and values as the CPU does', () => {
    expect(comparison.cached).toBeLessThan(1e-4);
  });

  it('trains LoRA on the example model as the CPU does', () => {
    expect(Object.keys(comparison.training)).toHaveLength(2);
    for (const [kind, { losses, gradient }] of Object.entries(comparison.training)) {
      expect(Math.abs(losses[1] - losses[0]), kind).toBeLessThan(1e-3);
      expect(gradient, kind).toBeLessThan(1e-4);
    }
  });

  it('leaves a run that it cannot do to the CPU, and says so once', async () => {
    const found = (await program.run(['take-over'], true)) as TakeOver;
    expect(found.places).toEqual(['webgpu', 'cpu']);
    expect(found.result).toEqual([0.5, 0.5]);
    expect(found.notes).toHaveLength(1);
    expect(found.notes[0]).toMatch(/^Computing on the graphics card did not work: it reports "Invalid dispatch group size[^"]+"\. The processor takes over\.$/);
    expect(found.strict[0]).toContain('The runtime failed in the graph shares on webgpu');
    expect(found.strict[1]).toContain('fallback to CPU EP has been explicitly disabled');
  });

  it('is listed with the reason where no driver is to be found, and the CPU takes over', async () => {
    const found = (await program.run(['take-over'], false)) as TakeOver;
    expect(found.devices[1]).toMatchObject({
      name: 'webgpu',
      usable: false,
      reason: 'Shear cannot compute on the graphics card here: no graphics driver was found that it can use.',
    });
    expect(found.places).toEqual(['cpu', 'cpu']);
    expect(found.result).toEqual([0.5, 0.5]);
    expect(found.notes).toEqual(['Computing on the graphics card did not work: no graphics driver was found that it can use. The processor takes over.']);
    expect(found.strict[0]).toContain('The runtime refused the graph shares on webgpu');
  });
});

describe('errors of devices', () => {
  it('are told in words where they are known, and else in the words of the runtime', () => {
    const told = (message: string): string => explainDeviceError(new SessionError('The runtime failed.', { cause: new Error(message) }));
    expect(told('A valid external Instance reference no longer exists. Device was lost')).toBe('the graphics driver stopped or was restarted');
    expect(told('Failed to allocate memory for requested buffer')).toBe('its memory does not suffice');
    expect(told('Non-zero status code. Status Message: something else\nat x')).toBe('it reports "something else"');
  });
});
