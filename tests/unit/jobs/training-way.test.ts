import { describe, expect, it } from 'vitest';
import { completeRecipe } from '../../../main/engine/jobs/recipe';
import { chooseTrainingWay } from '../../../main/engine/jobs/training-way';
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
});
