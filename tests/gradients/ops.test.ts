import { describe, expect, it } from 'vitest';
import { opNames, opRule } from '../../main/engine/graph/ops/table';
import { checkGradients } from '../support/gradient-check';
import { opCases } from '../support/op-cases';

describe('gradients of the op table equal finite differences', () => {
  for (const [op, list] of Object.entries(opCases)) {
    list.forEach((test, index) => {
      it(`${op}, case ${index + 1}`, () => checkGradients(test));
    });
  }

  it('has a case for every operator through which a gradient flows', () => {
    const differentiable = opNames.filter((op) => opRule(op).gradient !== undefined);
    expect(Object.keys(opCases).sort()).toEqual(differentiable.sort());
  });
});
