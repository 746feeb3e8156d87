import { readFile } from 'node:fs/promises';
import path from 'node:path';
import * as v from 'valibot';
import { describe, expect, it } from 'vitest';
import { readHuggingfaceConfig } from '../../main/engine/model/huggingface-config';
import { Problems } from '../../main/engine/model/problems';
import { tinyConfig, tinyConfigJson } from '../support/tiny-model';

const casesSchema = v.array(
  v.object({ name: v.string(), settings: v.record(v.string(), v.unknown()), frequencies: v.array(v.number()), attention_factor: v.number() }),
);
const cases = v.parse(casesSchema, JSON.parse(await readFile(path.join(import.meta.dirname, 'data', 'rope.json'), 'utf8')));

/** transformers computes them in float32; near the ends of YaRN's ramp a difference of almost equal numbers loses a digit. */
const TOLERANCE = 1e-5;

describe('config.json leads to the rotary frequencies of transformers (make_rope.py)', () => {
  it.each(cases)('$name', ({ settings, frequencies, attention_factor: attentionFactor }) => {
    const problems = new Problems();
    const raw = { ...tinyConfigJson(tinyConfig({ headDim: 64 })), hidden_size: 128, max_position_embeddings: 16384, rope_theta: undefined, rope_scaling: undefined, ...settings };
    const rope = readHuggingfaceConfig(raw, null, problems)?.rope;
    expect(problems.all).toEqual([]);
    expect(rope?.inverseFrequencies).toHaveLength(frequencies.length);
    frequencies.forEach((frequency, index) => {
      expect(Math.abs((rope?.inverseFrequencies[index] ?? Number.NaN) / frequency - 1) <= TOLERANCE, `frequency ${index}`).toBe(true);
    });
    expect(rope?.attentionFactor).toBeCloseTo(attentionFactor, 9);
  });
});
