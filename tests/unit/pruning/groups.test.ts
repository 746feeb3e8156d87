import { describe, expect, it } from 'vitest';
import { GraphBuilder } from '../../../main/engine/graph/builder';
import { findComposedOperators } from '../../../main/engine/pruning/dependencies/composed';
import { findNodeGroups, type NodeGroup } from '../../../main/engine/pruning/dependencies/groups';
import { traceModel } from '../../../main/engine/pruning/dependencies/trace';
import { findUnitGroups } from '../../../main/engine/pruning/units';
import { LINEAR_ROLES } from '../../../main/engine/model/config';
import { tinyConfig } from '../../support/tiny-model';

const describeSlices = (group: NodeGroup): string[] =>
  group.slices.map(({ parameter, axis, outer, inner, side }) => `${parameter}[${axis}] ${outer}x${group.size}x${inner} ${side}`);

describe('minimal removal structures', () => {
  it('of a plain MLP built by hand are its hidden channels', () => {
    const builder = new GraphBuilder();
    const x = builder.input('x', ['N', 6]);
    const first = builder.gemm(x, builder.input('w1', [10, 6]), { transposeRight: true, added: builder.input('b1', [10]) });
    const out = builder.gemm(builder.apply('Silu', [first]), builder.input('w2', [10, 4]));
    const groups = findNodeGroups(builder.build('mlp', [out]), new Set(['w1', 'b1', 'w2']));
    const prunable = groups.filter((group) => group.unprunable === null);
    expect(prunable).toHaveLength(1);
    expect(prunable[0]?.size).toBe(10);
    expect(prunable[0] === undefined ? [] : describeSlices(prunable[0])).toEqual([
      'w1[0] 1x10x1 output',
      'b1[0] 1x10x1 output',
      'w2[0] 1x10x1 input',
    ]);
  });

  it('of one layer are key/value groups with their query heads, channels, and what no description can express', () => {
    const config = tinyConfig({ layers: [{ heads: 8, kvHeads: 4, ffn: 24 }], biases: ['q', 'k', 'v'] });
    const { graph, parameters } = traceModel(config, LINEAR_ROLES, 3);
    const groups = findNodeGroups(graph, new Set(parameters.keys()));
    const heads = groups.find((group) => group.kind === 'head' && group.unprunable === null);
    expect(heads?.size).toBe(4);
    expect(heads === undefined ? [] : describeSlices(heads).sort()).toEqual(
      [
        'layers.0.q[0] 1x4x16 output', 'layers.0.q.bias[0] 1x4x16 output', 'layers.0.q.lora.b[0] 1x4x16 output',
        'layers.0.k[0] 1x4x8 output', 'layers.0.k.bias[0] 1x4x8 output', 'layers.0.k.lora.b[0] 1x4x8 output',
        'layers.0.v[0] 1x4x8 output', 'layers.0.v.bias[0] 1x4x8 output', 'layers.0.v.lora.b[0] 1x4x8 output',
        'layers.0.o[1] 1x4x16 input', 'layers.0.o.lora.a[1] 1x4x16 input',
      ].sort(),
    );
    const channels = groups.find((group) => group.size === 24);
    expect(channels === undefined ? [] : describeSlices(channels).sort()).toEqual(
      [
        'layers.0.gate[0] 1x24x1 output', 'layers.0.gate.lora.b[0] 1x24x1 output',
        'layers.0.up[0] 1x24x1 output', 'layers.0.up.lora.b[0] 1x24x1 output',
        'layers.0.down[1] 1x24x1 input', 'layers.0.down.lora.a[1] 1x24x1 input',
      ].sort(),
    );
  });

  it('never include the inside of a LoRA module, the hidden width, or what a rotation pairs', () => {
    const config = tinyConfig({ layers: [{ heads: 8, kvHeads: 4, ffn: 24 }] });
    const { graph, parameters } = traceModel(config, LINEAR_ROLES, 3);
    const reasons = findNodeGroups(graph, new Set(parameters.keys())).map((group) => group.unprunable);
    expect(reasons.filter((reason) => reason === 'it is the inside of a LoRA module')).toHaveLength(7);
    expect(reasons).toContain('a norm averages over it');
    expect(reasons).toContain('a rotation pairs its positions');
  });

  it('make composed operators of every LoRA-wrapped linear', () => {
    const { graph, parameters } = traceModel(tinyConfig(), ['q', 'down'], 3);
    const found = findComposedOperators(graph, (value) => parameters.has(value.name));
    expect(found.map(({ base }) => base.inputs[1]?.name)).toEqual(['layers.0.q', 'layers.0.down', 'layers.1.q', 'layers.1.down']);
  });

  it('follow each layer at its own widths', () => {
    const config = tinyConfig({ layers: [{ heads: 8, kvHeads: 4, ffn: 24 }, { heads: 4, kvHeads: 2, ffn: 10 }, { heads: 1, kvHeads: 1, ffn: 6 }] });
    expect(findUnitGroups(config).map(({ layer, part, size }) => `${layer} ${part} ${size}`)).toEqual([
      '0 attention 4', '0 mlp 24', '1 attention 2', '1 mlp 10', '2 mlp 6',
    ]);
  });
});
