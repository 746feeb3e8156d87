/**
 * Writes a model as a folder that ONNX Runtime and onnxruntime-genai open: the graph, its weights in a file of their own,
 * the settings of genai, and the tokenizer. Weights are read in pieces, so a model larger than memory can be written.
 */
import { join } from 'node:path';
import { requireDiskSpace, requireFreeTarget, writeWholeFile, writeWholeFolder, type WholeFile } from '../formats/whole-file';
import { huggingfaceSideFiles } from '../model/carried-tokenizer';
import type { Checkpoint } from '../model/checkpoint';
import type { ModelConfig } from '../model/config';
import type { ModelView } from '../model/view';
import { UnsupportedError } from '../support/errors';
import { throwIfCancelled } from '../support/progress';
import { decodePlain } from '../tensors/elements';
import { describeRange, encodeInRange, hasLosses, noCounts, type RangeFinding } from '../tensors/range';
import { ROWS_CHUNK_BYTES, rowBytes, rowElements } from '../tensors/rows';
import { encodeGenaiConfig, GENAI_CONFIG } from './genai-config';
import { encodeRows } from './onnx-blocks';
import { buildOnnxGraph } from './onnx-graph';
import type { DataPlace } from './onnx-nodes';
import { blockBitsOf, type OnnxFileType } from './onnx-types';
import type { PlannedData, PlannedTable, PlannedWeight } from './onnx-weights';
import type { WriteOptions, WrittenFile, WrittenModel } from './written';

/** What GroupQueryAttention wants head widths to be a multiple of (onnxruntime 1.30). */
const HEAD_STEP = 8;
/** Names of the model and of the weights beside it. */
export const ONNX_MODEL = 'model.onnx';
export const ONNX_DATA = 'model.onnx.data';

/**
 * Writes `view` into `folder`, whole or not at all; tokenizer, licence and settings come from `source`. Throws
 * UnsupportedError for head widths and tokenizers that have no such form, ResourceError for a full disk, UsageError for a folder that is
 * in use, CancelledError.
 */
export async function writeOnnxModel(view: ModelView, source: Checkpoint, folder: string, options: WriteOptions<OnnxFileType>): Promise<WrittenModel> {
  const { dtype, signal, onProgress } = options;
  const replace = options.replace ?? false;
  await requireFreeTarget(folder, replace);
  requireHeadWidth(view.config);
  const graph = buildOnnxGraph(view.config, dtype, ONNX_DATA);
  const small = new Map(await huggingfaceSideFiles(source));
  small.set(GENAI_CONFIG, encodeGenaiConfig(view.config, ONNX_MODEL));
  small.set(ONNX_MODEL, graph.model);
  const smallBytes = [...small.values()].reduce((sum, bytes) => sum + bytes.byteLength, 0);
  await requireDiskSpace(folder, graph.dataBytes + smallBytes);

  const files: WrittenFile[] = [];
  const findings: RangeFinding[] = [];
  await writeWholeFolder(folder, replace, async (temporary) => {
    for (const [name, bytes] of small) {
      const sizeBytes = await writeWholeFile(join(temporary, name), (file) => file.write(bytes));
      files.push({ path: join(folder, name), sizeBytes });
    }
    const sizeBytes = await writeWholeFile(join(temporary, ONNX_DATA), async (file) => {
      for (const planned of graph.data) {
        throwIfCancelled(signal);
        await writePlanned(file, view, planned, { signal, onRange: (finding) => findings.push(finding) });
        onProgress?.({ done: file.position, total: graph.dataBytes });
      }
    });
    files.push({ path: join(folder, ONNX_DATA), sizeBytes });
  });
  return { files, notes: describeRange(dtype === 'F16' ? 'F16' : 'F32', findings) };
}

/** Throws UnsupportedError when a model of this configuration and source's tokenizer has no form as such a folder; writes nothing. */
export async function requireOnnxForm(config: ModelConfig, source: Checkpoint): Promise<void> {
  requireHeadWidth(config);
  await huggingfaceSideFiles(source);
}

function requireHeadWidth({ headDim }: ModelConfig): void {
  if (headDim % HEAD_STEP === 0) return;
  throw new UnsupportedError(`ONNX Runtime's attention wants heads whose width is a multiple of ${HEAD_STEP}; those of this model are ${headDim} wide.`, {
    hint: 'Export as safetensors or GGUF instead.',
    details: { feature: 'head width', found: headDim },
  });
}

interface Pass {
  readonly signal: AbortSignal | undefined;
  readonly onRange: (finding: RangeFinding) => void;
}

async function writePlanned(file: WholeFile, view: ModelView, planned: PlannedData, pass: Pass): Promise<void> {
  if (planned.kind === 'table') return writeTable(file, view.config.maxPositions, planned);
  const bits = blockBitsOf(planned.storage);
  return bits === null ? writeElements(file, view, planned, pass) : writeBlocks(file, view, planned, bits, pass);
}

async function writeElements(file: WholeFile, view: ModelView, planned: PlannedWeight, { signal, onRange }: Pass): Promise<void> {
  const type = planned.storage === 'float16' ? 'F16' : 'F32';
  const counts = noCounts();
  await fillUpTo(file, planned.places[0]);
  for await (const values of pieces(view, planned)) {
    throwIfCancelled(signal);
    await file.write(encodeInRange(type, values, counts));
  }
  if (hasLosses(counts)) onRange({ tensor: planned.name, ...counts });
}

/** Numbers go out as they come; scales and zeros, a sixth of them, wait in memory for their turn. */
async function writeBlocks(file: WholeFile, view: ModelView, planned: PlannedWeight, bits: 4 | 8, { signal }: Pass): Promise<void> {
  const [, width = 1] = planned.shape;
  const later: { readonly scales: Float32Array; readonly zeros: Uint8Array }[] = [];
  await fillUpTo(file, planned.places[0]);
  for await (const values of pieces(view, planned)) {
    throwIfCancelled(signal);
    const { numbers, scales, zeros } = encodeRows(values, width, bits);
    await file.write(numbers);
    later.push({ scales, zeros });
  }
  await fillUpTo(file, planned.places[1]);
  for (const { scales } of later) await file.write(new Uint8Array(scales.buffer, scales.byteOffset, scales.byteLength));
  if (bits === 8) return;
  await fillUpTo(file, planned.places[2]);
  for (const { zeros } of later) await file.write(zeros);
}

/** Computed in float64, as the tables that this program itself computes with. */
async function writeTable(file: WholeFile, positions: number, { rope, half, function: wanted, place }: PlannedTable): Promise<void> {
  const { inverseFrequencies, attentionFactor } = rope;
  await fillUpTo(file, place);
  const step = Math.max(1, Math.floor(ROWS_CHUNK_BYTES / 4 / half));
  for (let first = 0; first < positions; first += step) {
    const values = new Float32Array(Math.min(step, positions - first) * half);
    for (let at = 0; at < values.length; at++) {
      const angle = (first + Math.floor(at / half)) * (inverseFrequencies[at % half] ?? 0);
      values[at] = attentionFactor * (wanted === 'cos' ? Math.cos(angle) : Math.sin(angle));
    }
    await file.write(new Uint8Array(values.buffer));
  }
}

async function fillUpTo(file: WholeFile, place: DataPlace | undefined): Promise<void> {
  const missing = (place?.offset ?? file.position) - file.position;
  if (missing > 0) await file.write(new Uint8Array(missing));
}

/** The values of a weight in pieces of whole rows. */
async function* pieces(view: ModelView, { of, shape }: PlannedWeight): AsyncGenerator<Float32Array> {
  const rows = (of.layer === null ? view.globalRows?.(of.role) : view.layerRows?.(of.layer, of.role)) ?? null;
  const width = rowElements(shape);
  const step = Math.max(1, Math.floor(ROWS_CHUNK_BYTES / 4 / Math.max(1, width)));
  if (rows === null) {
    const { data } = of.layer === null ? await view.readGlobal(of.role) : await view.readLayer(of.layer, of.role);
    for (let at = 0; at < data.length; at += step * width) yield data.subarray(at, at + step * width);
    return;
  }
  const [count = 0] = shape;
  for (let first = 0; first < count; first += step) {
    const bytes = new Uint8Array(Math.min(step, count - first) * rowBytes(rows));
    rows.readInto(bytes, first);
    const values = new Float32Array((bytes.byteLength / rowBytes(rows)) * width);
    decodePlain(rows.type, bytes, values, 0);
    yield values;
  }
}
