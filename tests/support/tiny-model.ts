/** Random models of a few thousand parameters, in memory and as Hugging Face folders, for tests of formats and writers. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeSafetensors } from '../../main/engine/formats/safetensors/writer';
import type { TensorToWrite } from '../../main/engine/formats/tensor-stream';
import type { LayerShape, LinearRole, ModelConfig } from '../../main/engine/model/config';
import type { BlockDesign } from '../../main/engine/model/design';
import { familyNamed } from '../../main/engine/model/families/index';
import { globalWeightShape, layerWeightShape } from '../../main/engine/model/match-tensors';
import { ACTIVATION_NAMES } from '../../main/engine/model/read-design';
import { resolveRope } from '../../main/engine/model/rope';
import { storedWeights, writtenValues } from '../../main/engine/model/stored-weights';
import { globalRoles, layerRoles, type ModelView } from '../../main/engine/model/view';
import { Random } from '../../main/engine/support/random';
import type { WrittenType } from '../../main/engine/tensors/elements';
import type { Tensor32 } from '../../main/engine/tensors/handle';
import { elementCount } from '../../main/engine/tensors/shape';

export interface TinyOptions {
  readonly family?: string;
  readonly layers?: readonly LayerShape[];
  readonly hidden?: number;
  readonly headDim?: number;
  readonly vocabulary?: number;
  readonly tied?: boolean;
  readonly biases?: readonly LinearRole[];
  readonly scaling?: Readonly<Record<string, unknown>> | null;
  readonly seed?: number;
  /** What differs from the family's own blocks; only windows and the switch of the residual get into a folder. */
  readonly design?: Partial<BlockDesign>;
}

const EVEN: LayerShape = { heads: 4, kvHeads: 2, ffn: 24 };

/** A configuration with small defaults: 2 layers, C 32, H 4, K 2, D 8, F 24, V 48. */
export function tinyConfig(options: TinyOptions = {}): ModelConfig {
  const headDim = options.headDim ?? 8;
  return {
    family: options.family ?? 'llama',
    design: { ...familyNamed(options.family ?? 'llama').design, ...options.design },
    vocabulary: options.vocabulary ?? 48,
    hidden: options.hidden ?? 32,
    headDim,
    layers: options.layers ?? [EVEN, EVEN],
    rmsEpsilon: 1e-5,
    rope: resolveRope(10_000, headDim, options.scaling ?? null),
    tied: options.tied ?? false,
    biases: new Set(options.biases ?? []),
    maxPositions: 64,
    bosId: 1,
    eosIds: [2],
  };
}

/** Random weights (normal, deviation 0.1; norms around 1); equal seeds give equal weights. */
export function tinyView(config: ModelConfig, seed = 1): ModelView {
  const random = Random.fromSeed(seed);
  const draw = (shape: readonly number[], mean: number): Tensor32 => ({
    shape,
    data: Float32Array.from({ length: elementCount(shape) }, () => mean + 0.1 * random.nextNormal()),
  });
  const globals = new Map(
    globalRoles(config).map((role) => [role, draw(globalWeightShape(config, role), role === 'finalNorm' ? 1 : 0)]),
  );
  const layers = config.layers.map(
    (_, layer) =>
      new Map(layerRoles(config).map((role) => [role, draw(layerWeightShape(config, layer, role), role.endsWith('Norm') ? 1 : 0)])),
  );
  const found = (tensor: Tensor32 | undefined): Promise<Tensor32> =>
    tensor === undefined ? Promise.reject(new Error('no such weight')) : Promise.resolve(tensor);
  return {
    config,
    readGlobal: (role) => found(globals.get(role)),
    readLayer: (layer, role) => found(layers[layer]?.get(role)),
  };
}

/** config.json of a configuration, as a Hugging Face folder of its family would have it. */
export function tinyConfigJson(config: ModelConfig): Record<string, unknown> {
  const { huggingface, keepsHeads } = familyNamed(config.family);
  const [first] = config.layers;
  const { windows, activation, parallel } = config.design;
  const settings: Record<string, unknown> = {
    architectures: [huggingface.architecture],
    model_type: huggingface.modelType,
    vocab_size: config.vocabulary,
    hidden_size: config.hidden,
    head_dim: config.headDim,
    num_hidden_layers: config.layers.length,
    num_attention_heads: first?.heads,
    num_key_value_heads: first?.kvHeads,
    intermediate_size: first?.ffn,
    rms_norm_eps: config.rmsEpsilon,
    rope_theta: config.rope.theta,
    rope_scaling: config.rope.scaling,
    max_position_embeddings: config.maxPositions,
    tie_word_embeddings: config.tied,
    bos_token_id: config.bosId,
    eos_token_id: config.eosIds[0],
    hidden_act: ACTIVATION_NAMES[activation],
    ...('query_pre_attn_scalar' in huggingface.defaults ? { query_pre_attn_scalar: config.headDim } : {}),
    ...(windows.length > 0 ? { sliding_window: Math.max(...windows) } : 'use_sliding_window' in huggingface.defaults ? {} : { sliding_window: null }),
    ...('use_parallel_residual' in huggingface.defaults ? { use_parallel_residual: parallel, rotary_pct: 1 } : {}),
  };
  const unknown = keepsHeads ? ['head_dim', 'num_key_value_heads'] : [];
  return Object.fromEntries(Object.entries(settings).flatMap(([key, value]) => (unknown.includes(key) ? [] : [[huggingface.settings[key] ?? key, value]])));
}

/** The tensors of a view under their Hugging Face names. */
export function tinyTensors(view: ModelView, type: WrittenType = 'F32'): TensorToWrite[] {
  const { names } = familyNamed(view.config.family).huggingface;
  return storedWeights(view.config, names).map((weight) => ({ name: weight.name, type, shape: weight.shape, read: () => writtenValues(view, names, weight) }));
}

export interface FolderChanges {
  /** Settings that replace those of the configuration; undefined leaves one out. */
  readonly settings?: Readonly<Record<string, unknown>>;
  /** Changes the list of tensors before it is written. */
  readonly tensors?: (tensors: TensorToWrite[]) => TensorToWrite[];
  readonly type?: WrittenType;
}

/** Writes a tiny model as a Hugging Face folder and answers its weights. */
export async function writeTinyFolder(folder: string, options: TinyOptions = {}, changes: FolderChanges = {}): Promise<ModelView> {
  const view = tinyView(tinyConfig(options), options.seed);
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'config.json'), JSON.stringify({ ...tinyConfigJson(view.config), ...changes.settings }));
  const tensors = tinyTensors(view, changes.type);
  await writeSafetensors(join(folder, 'model.safetensors'), changes.tensors?.(tensors) ?? tensors);
  return view;
}

/** Every weight of a view, by a name for messages. */
export async function readAll(view: ModelView): Promise<Map<string, Tensor32>> {
  const all = new Map<string, Tensor32>();
  for (const role of globalRoles(view.config)) all.set(role, await view.readGlobal(role));
  for (let layer = 0; layer < view.config.layers.length; layer++) {
    for (const role of layerRoles(view.config)) all.set(`${layer}.${role}`, await view.readLayer(layer, role));
  }
  return all;
}
