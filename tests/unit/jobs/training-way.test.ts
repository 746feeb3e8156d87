import { describe, expect, it } from 'vitest';
import { completeRecipe } from '../../../main/engine/jobs/recipe';
import { chooseForwardWay, chooseStepWay, chooseTrainingWay } from '../../../main/engine/jobs/training-way';
import { tinyConfig } from '../../support/tiny-model';

const config = tinyConfig({ layers: Array.from({ length: 8 }, () => ({ heads: 8, kvHeads: 4, ffn: 512 })), hidden: 256, headDim: 32 });
const recipe = completeRecipe({
  model: '/m', out: '/o', size: { kind: 'ratio', ratio: 0.2 }, sources: [{ kind: 'text', path: '/t', name: 't' }],
  budgetTokens: 32_768, training: { batch: 8, length: 64 },
});

describe('the way of training', () => {
  it('saves everything where there is room', () => {
    expect(chooseTrainingWay(config, recipe, 1e12)).toMatchObject({ recompute: false, microBatch: 8 });
  });

  it('computes again, then takes fewer sequences at once, as memory gets short', () => {
    const whole = chooseTrainingWay(config, recipe, 1e12).peakBytes;
    const again = chooseTrainingWay(config, recipe, whole - 1);
    expect(again).toMatchObject({ recompute: true, microBatch: 8 });
    expect(again.peakBytes).toBeLessThan(whole);
    const fewer = chooseTrainingWay(config, recipe, again.peakBytes - 1);
    expect(fewer.recompute).toBe(true);
    expect(fewer.microBatch).toBeLessThan(8);
    expect(chooseTrainingWay(config, recipe, 0).microBatch).toBe(1);
  });

  it('reads layers from the file when no batch is small enough with all of them in memory, and takes the largest batch that fits then', () => {
    const shape = { rank: 8, batch: 8, length: 64 };
    const ways = [];
    for (let bytes = 1e12; ; ) {
      const way = chooseStepWay(config, shape, bytes);
      if (way.peakBytes > bytes) break;
      ways.push([way.recompute, way.microBatch, way.streamed]);
      bytes = way.peakBytes - 1;
    }
    // Here 8 sequences at once take more than six of eight layers, so that streaming them all saves nothing.
    expect(ways).toEqual([
      [false, 8, false], [true, 8, false], [true, 4, false], [true, 2, false], [true, 1, false],
      [true, 4, true], [true, 2, true], [true, 1, true],
    ]);
    expect(chooseTrainingWay(config, recipe, 0)).toMatchObject({ recompute: true, microBatch: 1, streamed: true });
  });

  it('of passes alone follows the same order', () => {
    const shape = { batch: 8, length: 64 };
    const pass = chooseForwardWay(config, shape, 1e12);
    expect(pass).toMatchObject({ microBatch: 8, streamed: false });
    expect(chooseForwardWay(config, shape, pass.peakBytes - 1)).toMatchObject({ microBatch: 4, streamed: false });
    expect(chooseForwardWay(config, shape, 0)).toMatchObject({ microBatch: 1, streamed: true });
  });
});
