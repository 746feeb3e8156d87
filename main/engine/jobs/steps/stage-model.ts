/** Weights between stages: safetensors files in the run's folder, float32, named by layer and role, and their sizes. */
import { open, rm, type FileHandle } from 'node:fs/promises';
import * as v from 'valibot';
import { openSafetensors } from '../../formats/safetensors/reader';
import { writeSafetensors } from '../../formats/safetensors/writer';
import type { StoredTensor } from '../../formats/stored-tensor';
import { LINEAR_ROLES, type LayerRole, type ModelConfig } from '../../model/config';
import { LLAMA_BLOCK } from '../../model/design';
import { globalWeightShape, layerWeightShape } from '../../model/match-tensors';
import { globalRoles, layerRoles, type ModelView } from '../../model/view';
import { FormatError } from '../../support/errors';
import type { Tensor32 } from '../../tensors/handle';
import type { RunFolder } from '../run-folder';

/**
 * Names of models that stages leave. Most go when pruning is done: `working` is changed where it lies, `adapted` is the full
 * model after the warm-up, the two that are kept are what a killed run goes on with, `sliced` is not yet refitted. The two of
 * links are what one training of recovery leaves to the next; they are recovery's own, as `adapted` is where it has a teacher.
 */
export type StageModel = 'working' | 'adapted' | 'keptEven' | 'keptOdd' | 'sliced' | 'linkEven' | 'linkOdd' | 'pruned' | 'recovered';

const ropeSchema = v.object({
  theta: v.number(),
  inverseFrequencies: v.array(v.number()),
  attentionFactor: v.optional(v.number(), 1),
  scaling: v.nullable(v.record(v.string(), v.unknown())),
});

const designSchema = v.object({
  norm: v.picklist(['rms', 'layer', 'plain']),
  normsBefore: v.boolean(),
  normsAfter: v.boolean(),
  qkNorm: v.picklist(['none', 'head', 'all']),
  gated: v.boolean(),
  activation: v.picklist(['silu', 'gelu', 'geluTanh']),
  parallel: v.boolean(),
  rotaryWidth: v.union([v.number(), v.literal('head')]),
  learnedPositions: v.boolean(),
  scaledEmbedding: v.boolean(),
  attentionScale: v.nullable(v.number()),
  attentionCap: v.nullable(v.number()),
  logitCap: v.nullable(v.number()),
  windows: v.array(v.number()),
  localRope: v.nullable(ropeSchema),
});

const configSchema = v.object({
  family: v.string(),
  // Runs that were begun before designs were stored are of families with Llama's blocks.
  design: v.optional(designSchema, { ...LLAMA_BLOCK, windows: [], localRope: null }),
  vocabulary: v.number(),
  hidden: v.number(),
  headDim: v.number(),
  layers: v.array(v.object({ heads: v.number(), kvHeads: v.number(), ffn: v.number() })),
  rmsEpsilon: v.number(),
  rope: ropeSchema,
  tied: v.boolean(),
  biases: v.array(v.picklist(LINEAR_ROLES)),
  maxPositions: v.number(),
  bosId: v.nullable(v.number()),
  eosIds: v.array(v.number()),
});

/** Writes a model's sizes and weights, one weight at a time. The sizes come last: where they are, the weights are complete. */
export async function saveStageModel(folder: RunFolder, name: StageModel, view: ModelView, signal: AbortSignal): Promise<void> {
  const { config } = view;
  const globals = globalRoles(config).map((role) => ({ name: role, shape: globalWeightShape(config, role), read: () => view.readGlobal(role) }));
  const layers = config.layers.flatMap((_, index) =>
    layerRoles(config).map((role) => ({ name: layerName(index, role), shape: layerWeightShape(config, index, role), read: () => view.readLayer(index, role) })),
  );
  const tensors = [...globals, ...layers].map(({ read, ...place }) => ({ ...place, type: 'F32' as const, read: async () => (await read()).data }));
  await writeSafetensors(folder.path(`${name}.safetensors`), tensors, { signal });
  await folder.writeJson(`${name}.json`, { ...config, biases: [...config.biases] });
}

/** A stage's model whose weights are still in its file, where they can be changed too. Whoever opens it closes it. */
export interface StageView extends ModelView {
  writeLayer(layer: number, role: LayerRole, tensor: Tensor32): Promise<void>;
  close(): Promise<void>;
}

/** Opens what `saveStageModel` wrote. Reads throw FormatError if a weight is missing. */
export async function openStageModel(folder: RunFolder, name: StageModel): Promise<StageView> {
  const stored = await folder.readJson(`${name}.json`, configSchema);
  const config: ModelConfig = { ...stored, biases: new Set(stored.biases) };
  const file = await openSafetensors(folder.path(`${name}.safetensors`));
  let writer: Promise<FileHandle> | null = null;
  const find = (tensorName: string): StoredTensor => {
    const handle = file.tensors.get(tensorName);
    if (handle === undefined) {
      throw new FormatError(`${file.path} holds no weight ${tensorName}.`, { details: { file: file.path, tensor: tensorName } });
    }
    return handle;
  };
  const read = async (tensorName: string, into?: Float32Array): Promise<Tensor32> => {
    const handle = find(tensorName);
    return { shape: handle.shape, data: await handle.readFloat32(into) };
  };
  return {
    config,
    readGlobal: (role) => read(role),
    readLayer: (layer, role, into) => read(layerName(layer, role), into),
    async writeLayer(layer, role, { data }) {
      const { offset } = find(layerName(layer, role));
      writer ??= open(file.path, 'r+');
      const handle = await writer;
      const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
      for (let done = 0; done < bytes.byteLength; ) {
        done += (await handle.write(bytes, done, bytes.byteLength - done, offset + done)).bytesWritten;
      }
    },
    async close() {
      await file.close();
      if (writer !== null) await (await writer).close();
    },
  };
}

/** Removes a stage's model. */
export async function removeStageModel(folder: RunFolder, name: StageModel): Promise<void> {
  for (const file of [`${name}.json`, `${name}.safetensors`]) await rm(folder.path(file), { force: true });
}

function layerName(layer: number, role: LayerRole): string {
  return `layers.${layer}.${role}`;
}
