/** Writes a model as a Hugging Face folder: config.json, model.safetensors, and the files that travel with it. */
import { join } from 'node:path';
import { encodeSafetensorsHeader, writeSafetensors } from '../formats/safetensors/writer';
import type { TensorToWrite } from '../formats/tensor-stream';
import { requireDiskSpace, requireFreeTarget, writeWholeFile, writeWholeFolder } from '../formats/whole-file';
import { encodeJson, huggingfaceSideFiles } from '../model/carried-tokenizer';
import type { Checkpoint } from '../model/checkpoint';
import type { ModelConfig } from '../model/config';
import { globalName, layerName } from '../model/families/index';
import type { TensorNames } from '../model/families/family';
import { globalWeightShape, layerWeightShape } from '../model/match-tensors';
import { globalRoles, layerRoles, type ModelView } from '../model/view';
import { PLAIN_TYPE_BYTES, type WrittenType } from '../tensors/elements';
import { elementCount } from '../tensors/shape';
import { describeForHuggingface } from './huggingface-config';
import type { WriteOptions, WrittenFile } from './written';

const WEIGHTS_NAME = 'model.safetensors';

/**
 * Writes `view` into `folder`, whole or not at all; what `view` does not know (tokenizer, licence, settings) comes
 * from `source`. Throws UnsupportedError for what the format cannot state, ResourceError for a full disk,
 * UsageError for a folder that is in use, CancelledError.
 */
export async function writeSafetensorsModel(
  view: ModelView,
  source: Checkpoint,
  folder: string,
  options: WriteOptions<WrittenType>,
): Promise<WrittenFile[]> {
  const { dtype, signal, onProgress } = options;
  const replace = options.replace ?? false;
  await requireFreeTarget(folder, replace);
  const { config, family, code } = describeForHuggingface(view.config, source, dtype);
  const tensors = planTensors(view, family.huggingface.names, dtype);
  const small = new Map(await huggingfaceSideFiles(source));
  small.set('config.json', encodeJson(config));
  if (code !== null) small.set(code.name, new TextEncoder().encode(code.text));

  const weightBytes =
    encodeSafetensorsHeader(tensors, { format: 'pt' }).byteLength +
    tensors.reduce((sum, tensor) => sum + elementCount(tensor.shape) * PLAIN_TYPE_BYTES[tensor.type], 0);
  const smallBytes = [...small.values()].reduce((sum, bytes) => sum + bytes.byteLength, 0);
  await requireDiskSpace(folder, weightBytes + smallBytes);

  const written: WrittenFile[] = [];
  await writeWholeFolder(folder, replace, async (temporary) => {
    for (const [name, bytes] of small) {
      const sizeBytes = await writeWholeFile(join(temporary, name), (file) => file.write(bytes));
      written.push({ path: join(folder, name), sizeBytes });
    }
    const sizeBytes = await writeSafetensors(join(temporary, WEIGHTS_NAME), tensors, {
      signal,
      onBytes: (done) => onProgress?.({ done, total: weightBytes }),
    });
    written.push({ path: join(folder, WEIGHTS_NAME), sizeBytes });
  });
  return written;
}

/** Throws UnsupportedError when a model of this configuration and source's tokenizer has no form as a Hugging Face folder; writes nothing. */
export async function requireSafetensorsForm(config: ModelConfig, source: Checkpoint, dtype: WrittenType): Promise<void> {
  describeForHuggingface(config, source, dtype);
  await huggingfaceSideFiles(source);
}

/** All weights in the order embedding, layers, final norm, head. */
function planTensors(view: ModelView, names: TensorNames, type: WrittenType): TensorToWrite[] {
  const { config } = view;
  const globals = globalRoles(config).map((role) => ({
    name: globalName(names, role),
    type,
    shape: globalWeightShape(config, role),
    read: async () => (await view.readGlobal(role)).data,
  }));
  const layers = config.layers.flatMap((_, layer) =>
    layerRoles(config).map((role) => ({
      name: layerName(names, layer, role),
      type,
      shape: layerWeightShape(config, layer, role),
      read: async () => (await view.readLayer(layer, role)).data,
    })),
  );
  return [...globals.slice(0, 1), ...layers, ...globals.slice(1)];
}
