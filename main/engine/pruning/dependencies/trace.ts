/** The whole model as one graph with the sizes of its layers, as dependency analysis needs it. No weights are read. */
import { GraphBuilder } from '../../graph/builder';
import type { Graph } from '../../graph/graph';
import { linearRoles, type LayerRole, type LinearRole, type ModelConfig } from '../../model/config';
import { layerRoles } from '../../model/view';
import { blockForm } from '../../execution/block-form';
import { blockContext, buildBlock, loraName, type BlockSpec } from '../../execution/block-graph';

/** What a parameter of the traced graph is. */
export type ParameterIdentity =
  | { readonly kind: 'weight'; readonly layer: number; readonly role: LayerRole }
  | { readonly kind: 'lora'; readonly layer: number; readonly role: LinearRole; readonly factor: 'a' | 'b' };

export interface TracedModel {
  readonly graph: Graph;
  /** Identity of each parameter by the name of its graph input. All other inputs are data. */
  readonly parameters: ReadonlyMap<string, ParameterIdentity>;
}

/** Traces the decoder layers of a model with LoRA beside those of the linears `wanted` that it has. */
export function traceModel(config: ModelConfig, wanted: readonly LinearRole[], rank: number): TracedModel {
  const targets = linearRoles(config).filter((role) => wanted.includes(role));
  const builder = new GraphBuilder();
  const parameters = new Map<string, ParameterIdentity>();
  let hidden = builder.input('x', ['B*T', config.hidden]);
  const shared = {
    form: blockForm(config),
    headDim: config.headDim,
    rmsEpsilon: config.rmsEpsilon,
    biases: config.biases,
    lora: targets.length === 0 ? null : { scale: 1, targets, dropout: false },
    length: null,
    documents: false,
    gates: false,
  };
  const context = blockContext(builder, { ...shared, headsPerGroup: 1 });
  config.layers.forEach((shape, layer) => {
    const spec: BlockSpec = { ...shared, headsPerGroup: shape.heads / shape.kvHeads };
    const prefix = `layers.${layer}.`;
    const dims = { hidden: config.hidden, kvHeads: shape.kvHeads, ffn: shape.ffn, rank };
    hidden = buildBlock(builder, hidden, context, spec, dims, { prefix }).output;
    for (const role of layerRoles(config)) parameters.set(prefix + role, { kind: 'weight', layer, role });
    for (const role of targets) {
      for (const factor of ['a', 'b'] as const) parameters.set(prefix + loraName(role, factor), { kind: 'lora', layer, role, factor });
    }
  });
  return { graph: builder.build('model', [hidden]), parameters };
}
