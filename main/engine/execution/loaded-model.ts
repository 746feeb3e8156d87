/** Models that can be executed: with all weights in memory as float32, or with layers read from their file each time. */
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

/** A model whose layers are read anew each time they are needed: memory for one layer, time for reading the file. */
export interface StreamedModel {
  readonly config: ModelConfig;
  readonly view: ModelView;
  /** As in LoadedModel. */
  readonly globals: ReadonlyMap<GlobalRole, Tensor32>;
}

/** What executes, is measured and trained beside. Only models in memory can be pruned. */
export type ExecutableModel = LoadedModel | StreamedModel;

/** A model of which only the weights outside the layers are in memory. */
export async function streamModel(view: ModelView): Promise<StreamedModel> {
  const globals = new Map<GlobalRole, Tensor32>();
  for (const role of globalRoles(view.config)) globals.set(role, await view.readGlobal(role));
  return { config: view.config, view, globals };
}

/** One layer's weights: at hand, or read from the file. */
export async function readLayer(model: ExecutableModel, index: number): Promise<LoadedLayer> {
  if ('layers' in model) return layerOf(model, index);
  const shape = model.config.layers[index];
  if (shape === undefined) throw new InternalError(`The model has no layer ${index}.`);
  const tensors = new Map<LayerRole, Tensor32>();
  for (const role of layerRoles(model.config)) tensors.set(role, await model.view.readLayer(index, role));
  return { shape, tensors };
}

/** Reads every weight of a view into memory: 4 bytes a parameter. */
export async function loadModel(
  view: ModelView,
  options: { readonly signal?: AbortSignal; readonly onProgress?: OnProgress } = {},
): Promise<LoadedModel> {
  const total = view.config.layers.length + 1;
  const source = await streamModel(view);
  const layers: LoadedLayer[] = [];
  for (let index = 0; index < view.config.layers.length; index++) {
    options.onProgress?.({ done: index + 1, total });
    await breathe(options.signal);
    layers.push(await readLayer(source, index));
  }
  options.onProgress?.({ done: total, total });
  return { config: view.config, layers, globals: source.globals };
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
export function globalTensor(model: ExecutableModel, role: GlobalRole): Tensor32 {
  const tensor = model.globals.get(role);
  if (tensor === undefined) throw new InternalError(`The model has no weight ${role}.`);
  return tensor;
}

/** The matrix that turns hidden states into logits: the embedding where the head is tied. */
export function headTensor(model: ExecutableModel): Tensor32 {
  return globalTensor(model, model.config.tied ? 'embedding' : 'head');
}
