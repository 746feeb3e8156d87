import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { GraphBuilder } from '../../main/engine/graph/builder';
import type { Graph } from '../../main/engine/graph/graph';
import { withHalfWeights } from '../../main/engine/graph/passes/half-weights';
import { float32, float32Data, Session, type Feed } from '../../main/engine/runtime/session';
import { Uploader } from '../../main/engine/runtime/uploader';
import { chooseWeightKeeping } from '../../main/engine/runtime/weight-keeping';
import { EXAMPLE_MODEL } from '../support/example-model';
import type { ResidentFindings } from '../support/resident-program';
import { buildDeviceProgram, hasSoftwareDevice, type DeviceProgram } from '../support/software-device';

describe.runIf(hasSoftwareDevice)('weights and activations that stay on a graphics card in software', () => {
  let program: DeviceProgram;
  let findings: ResidentFindings;
  beforeAll(async () => {
    program = await buildDeviceProgram('resident-program');
    findings = (await program.run([EXAMPLE_MODEL, 'host', 'float32'], true)) as ResidentFindings;
  }, 120_000);
  afterAll(() => program.remove());

  it('are chosen by what the device can do: this one has no float16', () => {
    expect(findings.chosen).toEqual({ cpu: 'host', webgpu: 'float32' });
  });

  it('give the losses, gradients and logits of the CPU, as weights given at each run do', () => {
    expect(Object.keys(findings.training)).toEqual(['host', 'float32']);
    for (const [kind, { losses, gradient, logits }] of Object.entries(findings.training)) {
      expect(Math.abs(losses[1] - losses[0]), kind).toBeLessThan(1e-3);
      expect(gradient, kind).toBeLessThan(1e-4);
      expect(logits, kind).toBeLessThan(1e-4);
    }
  });

  it('take their size and give it back, eight times over', () => {
    const [first, again] = findings.megabytes.float32 ?? [Number.NaN, Number.NaN];
    expect(first).toBeGreaterThan(48);
    expect(first).toBeLessThan(128);
    expect(again).toBeLessThan(24);
  });

  it('are moved when the CPU takes over', () => {
    expect(findings.takeOver).toEqual({ places: ['webgpu', 'webgpu', 'cpu', 'cpu'], results: [0.5 + 1 + 2, 0.5 + 2 + 4], notes: 1 });
  });
});

describe('weights as float16', () => {
  /** x W^T with W [2, 3]. */
  function product(): Graph {
    const builder = new GraphBuilder();
    return builder.build('product', [builder.gemm(builder.input('x', [1, 3]), builder.input('w', [2, 3]), { transposeRight: true, name: 'y' })]);
  }

  it('are rounded to nearest once, and computed with in float32', async () => {
    const graph = withHalfWeights(product(), new Set(['w']));
    expect(graph.inputs.map(({ name, type }) => [name, type])).toEqual([['x', 'float32'], ['w', 'float16']]);
    // 2049 lies between two float16 and goes to the even one; 1e-8 is less than half of the smallest.
    const weights = Float32Array.of(2049, 1 / 3, 1e-8, 1, -0.5, 65504);
    const uploader = new Uploader({ threads: 1 });
    const session = await Session.create(graph, { threads: 1 });
    try {
      const kept = await uploader.upload(weights, [2, 3], 'float16', () => Promise.resolve(weights));
      const run = async (x: readonly number[]): Promise<number[]> =>
        [...float32Data((await session.run(new Map<string, Feed>([['x', float32(Float32Array.from(x), [1, 3])], ['w', kept]]))).get('y'), 'y')];
      expect(await run([1, 0, 0])).toEqual([2048, 1]);
      expect(await run([0, 1, 0])).toEqual([1365 / 4096, -0.5]);
      // A sum that float16 could not hold.
      expect(await run([0, 0, 4])).toEqual([0, 262016]);
      kept.dispose();
      await expect(run([1, 0, 0])).rejects.toMatchObject({ code: 'internal' });
    } finally {
      await session.dispose();
      await uploader.dispose();
    }
  });

  it('need a graph that expects them', async () => {
    const uploader = new Uploader({ threads: 1 });
    const session = await Session.create(product(), { threads: 1 });
    const weights = new Float32Array(6);
    try {
      const kept = await uploader.upload(weights, [2, 3], 'float16', () => Promise.resolve(weights));
      const feeds = new Map<string, Feed>([['x', float32(new Float32Array(3), [1, 3])], ['w', kept]]);
      await expect(session.run(feeds)).rejects.toThrow('w is float16, expected float32.');
      kept.dispose();
    } finally {
      await session.dispose();
      await uploader.dispose();
    }
  });

  it('are not chosen by the CPU, whose memory is ours', async () => {
    expect(await chooseWeightKeeping({ threads: 1 })).toBe('host');
    expect(await chooseWeightKeeping({ threads: 1, weights: 'float16' })).toBe('float16');
  });
});
