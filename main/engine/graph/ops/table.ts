/** The op table: every operator that our graphs may use, one rule each. */
import { InternalError } from '../../support/errors';
import type { OpRule } from '../op-rule';
import { addRule, divRule, mulRule, subRule } from './arithmetic';
import { castRule } from './cast';
import { concatRule } from './concat';
import { erfRule, expRule, negRule, reciprocalRule, sigmoidRule, sqrtRule, tanhRule } from './elementwise';
import { expandRule } from './expand';
import { gatherElementsRule, scatterElementsRule } from './gather-elements';
import { geluRule } from './gelu';
import { gemmRule } from './gemm';
import { int8ColumnsRule } from './int8-columns';
import { int8ProductRule } from './int8-product';
import { layerNormRule } from './layer-norm';
import { matmulRule } from './matmul';
import { reduceLogSumExpRule } from './reduce-log-sum-exp';
import { reduceMeanRule, reduceSumRule } from './reduce';
import { reshapeRule } from './reshape';
import { rmsNormRule } from './rms-norm';
import { rotaryEmbeddingRule } from './rotary-embedding';
import { siluRule } from './silu';
import { padRule, sliceRule } from './slice';
import { softmaxRule } from './softmax';
import { transposeRule } from './transpose';

const rules: ReadonlyMap<string, OpRule> = new Map(
  [
    addRule, subRule, mulRule, divRule, negRule, expRule, reciprocalRule, sqrtRule, sigmoidRule, siluRule, tanhRule, erfRule, geluRule,
    matmulRule, gemmRule, int8ProductRule, int8ColumnsRule, reshapeRule, transposeRule, expandRule, concatRule, sliceRule, padRule,
    reduceSumRule, reduceMeanRule, reduceLogSumExpRule, softmaxRule, rmsNormRule, layerNormRule, rotaryEmbeddingRule,
    gatherElementsRule, scatterElementsRule, castRule,
  ].map((rule) => [rule.op, rule]),
);

/** The rule of an operator. Throws InternalError for an operator that the table does not hold. */
export function opRule(op: string): OpRule {
  const rule = rules.get(op);
  if (rule === undefined) throw new InternalError(`The op table has no operator ${op}.`, { details: { op } });
  return rule;
}

/** Names of all operators, for tests that must cover each. */
export const opNames: readonly string[] = [...rules.keys()];
