/**
 * A model as verifying sees it, whichever form its files have: ids of a text, logits, weights, and what its number
 * format does to the weights of another. Opens checkpoints and our own ONNX folders; judges nothing.
 */
import { computeViewLogits } from '../evaluation/view-logits';
import type { Executor } from '../execution/executor';
import { openOnnxFolder, type OnnxFolder } from '../export/onnx-folder';
import { roundedForOnnx } from '../export/onnx-types';
import { roundedView, type WeightTypes } from '../export/verify';
import { isBlockType, isGgufWrittenType, type GgufWrittenType } from '../formats/gguf/blocks';
import { openCheckpoint, type Checkpoint } from '../model/checkpoint';
import type { ModelConfig } from '../model/config';
import { onnxFolderAt } from '../model/locate';
import type { ModelView } from '../model/view';
import { FormatError, SessionError, UnsupportedError } from '../support/errors';
import type { StoredType } from '../tensors/handle';
import { loadCheckpointTokenizer, loadFolderTokenizer } from './checkpoint-tokenizer';
import { computeOnnxLogits } from './onnx-logits';

/** Sizes that two models must share to be compared. */
export type ComparedSizes = Pick<ModelConfig, 'vocabulary' | 'hidden' | 'headDim' | 'layers'>;

/** What logits are computed with. */
export interface Computing {
  readonly executor: Executor;
  readonly threads: number;
  readonly signal?: AbortSignal | undefined;
}

/** An opened model. Whoever opens it closes it. */
export interface VerifiedModel {
  readonly name: string;
  readonly sizes: ComparedSizes;
  /** Null where the files do not say what blocks are built from. */
  readonly config: ModelConfig | null;
  /** The number format of its weights, for comparing and for messages. */
  readonly format: string;
  /** Whether weights share scales that another program may have chosen, which does it differently. */
  readonly hasOtherScales: boolean;
  /** Tokens of the longest text. */
  readonly maxPositions: number;
  /** Ids of a text in its own vocabulary. */
  encode(text: string): Promise<number[]>;
  /** Logits [T, V]. */
  logits(ids: readonly number[], computing: Computing): Promise<Float32Array>;
  /** Names of weights that a configuration of the same sizes has and this model has not. */
  lacking(config: ModelConfig): readonly string[];
  /** Its weights, under a configuration of which it lacks none. */
  view(config: ModelConfig): ModelView;
  /**
   * Another model's weights as this one's files would hold them; null where that changes nothing.
   * @throws UnsupportedError for types that are read and not written: what they do to a model cannot be repeated.
   */
  rounding(view: ModelView): ModelView | null;
  close(): Promise<void>;
}

/** Opens what is at a path. Throws what `openCheckpoint` throws, and for ONNX models what `openOnnxFolder` throws. */
export async function openVerifiedModel(path: string): Promise<VerifiedModel> {
  const folder = await onnxFolderAt(path);
  return folder === null ? fromCheckpoint(await openCheckpoint(path)) : fromOnnxFolder(await openOnnxFolder(folder));
}

function fromCheckpoint(checkpoint: Checkpoint): VerifiedModel {
  const types = [...checkpoint.storedTypes.keys()];
  return {
    name: checkpoint.name, sizes: checkpoint.config, config: checkpoint.config, maxPositions: checkpoint.config.maxPositions,
    format: types.join(', '),
    hasOtherScales: types.some((type) => isGgufWrittenType(type) && isBlockType(type)),
    encode: async (text) => (await loadCheckpointTokenizer(checkpoint)).encode(text),
    logits: (ids, { executor, signal }) => computeViewLogits(executor, checkpoint, ids, signal),
    lacking: () => [],
    view: () => checkpoint,
    rounding: (view) => {
      const repeatable = repeatableTypes(checkpoint);
      return repeatable === null ? null : roundedView(view, repeatable);
    },
    close: () => checkpoint.close(),
  };
}

function fromOnnxFolder(folder: OnnxFolder): VerifiedModel {
  const { path, type, maxPositions, sideFiles, eosIds } = folder;
  return {
    name: path, sizes: folder, config: null, maxPositions, format: `ONNX ${type}`, hasOtherScales: false,
    encode: async (text) => (await loadFolderTokenizer(path, sideFiles, eosIds)).encode(text),
    logits: (ids, { threads, signal }) => computeOnnxLogits(path, folder, ids, { threads, memory: 'spare', signal }).catch((error: unknown) => {
      if (!(error instanceof SessionError)) throw error;
      throw new FormatError(`The ONNX model in ${path} is damaged: ${error.message}`, {
        cause: error, hint: 'Write it once more from the model that it was made from, or copy the whole folder again.', details: { file: path },
      });
    }),
    lacking: (config) => folder.lacking(config),
    view: (config) => folder.view(config),
    rounding: (view) => (type === 'F32' ? null : roundedForOnnx(view, type)),
    close: () => folder.close(),
  };
}

/** The types of a file's weights, to round another model to them; null where nothing would change. */
function repeatableTypes({ name, storedTypes, weightTypes }: Checkpoint): WeightTypes | null {
  const types = [...storedTypes.keys()];
  const unknown = types.filter((type) => type !== 'F64' && !isGgufWrittenType(type));
  if (unknown.length > 0) {
    throw new UnsupportedError(`${name} stores weights as ${unknown.join(', ')}. This program reads that but does not write it, so it cannot tell how far its answers may be from another model's.`, {
      hint: 'Leave --against out to check that the model opens and computes ordinary numbers.',
      details: { feature: 'element type', found: unknown },
    });
  }
  if (types.every((type) => type === 'F32' || type === 'F64')) return null;
  const written = (type: StoredType): GgufWrittenType => (isGgufWrittenType(type) ? type : 'F32');
  return { scalesLessOne: weightTypes.scalesLessOne, global: (role) => written(weightTypes.global(role)), layer: (layer, role) => written(weightTypes.layer(layer, role)) };
}
