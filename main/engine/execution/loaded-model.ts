/** A model whose weights are in memory as float32, ready to be executed, trained beside and pruned. */
import type { Tensor32 } from '../tensors/handle';
import type { GlobalRole, LayerRole, LayerShape, ModelConfig } from '../model/config';
import { globalRoles, layerRoles, type ModelView } from '../model/view';
import { InternalError } from '../support/errors';
import { breathe, type OnProgress } from '../support/progress';

/** One layer's weights by role; linears are [out, in]. */
export interface LoadedLayer {
  readonly shape: LayerShape;
  readonly tensors: ReadonlyMap<LayerRole, Tensor32>;
}

export interface LoadedModel {
  readonly config: ModelConfig;
  readonly layers: readonly LoadedLayer[];
  /** `embedding` [V, C], `finalNorm` [C], and `head` [V, C] unless tied. */
  readonly globals: ReadonlyMap<GlobalRole, Tensor32>;
}

/** Reads every weight of a view into memory: 4 bytes a parameter. */
export async function loadModel(
  view: ModelView,
  options: { readonly signal?: AbortSignal; readonly onProgress?: OnProgress } = {},
): Promise<LoadedModel> {
  const { config } = view;
  const roles = layerRoles(config);
  const total = config.layers.length + 1;
  const globals = new Map<GlobalRole, Tensor32>();
  for (const role of globalRoles(config)) globals.set(role, await view.readGlobal(role));
  const layers: LoadedLayer[] = [];
  for (const [index, shape] of config.layers.entries()) {
    options.onProgress?.({ done: index + 1, total });
    await breathe(options.signal);
    const tensors = new Map<LayerRole, Tensor32>();
    for (const role of roles) tensors.set(role, await view.readLayer(index, role));
    layers.push({ shape, tensors });
  }
  options.onProgress?.({ done: total, total });
  return { config, layers, globals };
}

/** A loaded model as a view, for writers. */
export function asView(model: LoadedModel): ModelView {
  return {
    config: model.config,
    readGlobal: (role) => Promise.resolve(globalTensor(model, role)),
    readLayer: (layer, role) => Promise.resolve(layerTensor(layerOf(model, layer), role)),
  };
}

/** A layer by index. Throws InternalError if there is none. */
export function layerOf(model: LoadedModel, index: number): LoadedLayer {
  const layer = model.layers[index];
  if (layer === undefined) throw new InternalError(`The model has no layer ${index}.`);
  return layer;
}

/** A layer's weight. Throws InternalError if it has none of this role. */
export function layerTensor(layer: LoadedLayer, role: LayerRole): Tensor32 {
  const tensor = layer.tensors.get(role);
  if (tensor === undefined) throw new InternalError(`The layer has no weight ${role}.`);
  return tensor;
}

/** A weight outside the layers. Throws InternalError if the model has none of this role. */
export function globalTensor(model: LoadedModel, role: GlobalRole): Tensor32 {
  const tensor = model.globals.get(role);
  if (tensor === undefined) throw new InternalError(`The model has no weight ${role}.`);
  return tensor;
}

/** The matrix that turns hidden states into logits: the embedding where the head is tied. */
export function headTensor(model: LoadedModel): Tensor32 {
  return globalTensor(model, model.config.tied ? 'embedding' : 'head');
}
