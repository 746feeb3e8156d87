/** Models that can be executed: with all weights in memory as float32, or with layers read from their file each time. */
import type { Tensor32 } from '../tensors/handle';
import type { GlobalRole, LayerRole, LayerShape, ModelConfig } from '../model/config';
import { globalRoles, layerRoles, type ModelView } from '../model/view';
import { InternalError } from '../support/errors';
import { breathe, type OnProgress } from '../support/progress';
import { LayerStream } from './layer-stream';

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

/** Where a model's layers come from one at a time. */
export interface LayerSource {
  /** One layer; its memory holds it until the next one is read. */
  read(index: number): Promise<LoadedLayer>;
}

/** A model whose layers are read anew each time they are needed: memory for two layers, time for reading the file. */
export interface StreamedModel {
  readonly config: ModelConfig;
  readonly view: ModelView;
  /** Its layers. One user at a time: see `LayerSource.read`. */
  readonly source: LayerSource;
  /** As in LoadedModel. */
  readonly globals: ReadonlyMap<GlobalRole, Tensor32>;
}

/** What executes, is measured and trained beside. */
export type ExecutableModel = LoadedModel | StreamedModel;

/** A model of which only the weights outside the layers are in memory. */
export async function streamModel(view: ModelView): Promise<StreamedModel> {
  const globals = new Map<GlobalRole, Tensor32>();
  for (const role of globalRoles(view.config)) globals.set(role, await view.readGlobal(role));
  return { config: view.config, view, source: new LayerStream(view), globals };
}

/** The same model for a user of its own, who may read its layers while others do. */
export function apart(model: ExecutableModel): ExecutableModel {
  return 'layers' in model ? model : { ...model, source: new LayerStream(model.view) };
}

/** One layer's weights: at hand, or read from the file; those of a streamed model hold until its next layer is read. */
export async function readLayer(model: ExecutableModel, index: number): Promise<LoadedLayer> {
  return 'layers' in model ? layerOf(model, index) : model.source.read(index);
}

/**
 * Changes one layer's weights in place, in their file too where that is where they are. Where an executor runs the model
 * meanwhile, use its method of the same name.
 */
export async function changeLayer(model: ExecutableModel, index: number, change: (layer: LoadedLayer) => void): Promise<void> {
  const layer = await readLayer(model, index);
  change(layer);
  if ('layers' in model) return;
  const { view } = model;
  if (view.writeLayer === undefined) throw new InternalError('The weights of this model can only be read.');
  for (const [role, tensor] of layer.tensors) await view.writeLayer(index, role, tensor);
}

/** The same model with another layer in the place of one; everything else is shared. */
export function withLayer(model: ExecutableModel, index: number, layer: LoadedLayer): ExecutableModel {
  if ('layers' in model) return { ...model, layers: model.layers.map((other, at) => (at === index ? layer : other)) };
  const { source } = model;
  return { ...model, source: { read: (at) => (at === index ? Promise.resolve(layer) : source.read(at)) } };
}

/** Reads every weight of a view into memory: 4 bytes a parameter. */
export async function loadModel(
  view: ModelView,
  options: { readonly signal?: AbortSignal; readonly onProgress?: OnProgress } = {},
): Promise<LoadedModel> {
  const total = view.config.layers.length + 1;
  const { globals } = await streamModel(view);
  const layers: LoadedLayer[] = [];
  for (const [index, shape] of view.config.layers.entries()) {
    options.onProgress?.({ done: index + 1, total });
    await breathe(options.signal);
    const tensors = new Map<LayerRole, Tensor32>();
    for (const role of layerRoles(view.config)) tensors.set(role, await view.readLayer(index, role));
    layers.push({ shape, tensors });
  }
  options.onProgress?.({ done: total, total });
  return { config: view.config, layers, globals };
}

/** A model as a view, for writers. */
export function asView(model: ExecutableModel): ModelView {
  if (!('layers' in model)) return model.view;
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

/** The role of the matrix that turns hidden states into logits: the embedding where the head is tied. */
export function headRole(config: ModelConfig): GlobalRole {
  return config.tied ? 'embedding' : 'head';
}
