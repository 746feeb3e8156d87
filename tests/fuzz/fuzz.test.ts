/** Some dozens of damaged inputs for every parser; `node scripts/fuzz.mjs` runs a hundred thousand of each. */
import { describe, expect, it } from 'vitest';
import { fuzz } from './fuzz';
import { TARGETS } from './targets';

const CASES = 60;

describe('Damaged input is read or refused in words, soon and in little memory', () => {
  it.each(TARGETS.map((target) => ({ name: target.name, target })))('$name', async ({ target }) => {
    const { findings, cases } = await fuzz(target, { cases: CASES });
    expect(findings).toEqual([]);
    expect(cases).toBe(CASES);
  });
});
