/**
 * What each weight is stored as in an ONNX model of each type: the one rule from which the size forecast, the writer and
 * the check of the written file read. Vectors are always float32. In INT4, matrices of layers have 4 bits, and tables
 * (embedding, positions, output head), which suffer more, 8; a tied head and the embedding are one table.
 */
import { globalRoles, globalWeightShape, layerRoles, layerWeightShape, type GlobalRole, type LayerRole, type ModelConfig } from '../model/config';
import { rotaryWidthOf } from '../model/design';
import type { ModelView } from '../model/view';
import type { Tensor32 } from '../tensors/handle';
import { elementCount } from '../tensors/shape';
import { BLOCK, blockBytes, decodeRows, encodeRows } from './onnx-blocks';
import { plainTypes, roundedView } from './verify';

/** Types of ONNX models, from exact to smallest. */
export type OnnxFileType = 'F32' | 'F16' | 'INT4';

/** How one weight is stored: element by element, or in blocks of 32 with 8 or 4 bits each. */
export type OnnxStorage = 'float32' | 'float16' | 'blocks8' | 'blocks4';

/** The storage of a weight of a shape; `isTable` for those outside the layers. */
export function onnxStorage(shape: readonly number[], isTable: boolean, type: OnnxFileType): OnnxStorage {
  if (shape.length < 2 || type === 'F32') return 'float32';
  if (type === 'F16') return 'float16';
  return isTable ? 'blocks8' : 'blocks4';
}

/** Bits of a number of a storage in blocks; null for one element by element. */
export function blockBitsOf(storage: OnnxStorage): 4 | 8 | null {
  return storage === 'blocks4' ? 4 : storage === 'blocks8' ? 8 : null;
}

/**
 * Bytes of all weights, exactly; tables of rotary positions are in it, as they are as long as the model's context. With
 * `areWidthsOdd`, what is to be expected where each layer has a width of its own: rows of down are half a block too long.
 */
export function onnxWeightBytes(config: ModelConfig, type: OnnxFileType, areWidthsOdd = false): number {
  const bytesOf = (shape: readonly number[], isTable: boolean, isOdd: boolean): number => {
    const storage = onnxStorage(shape, isTable, type);
    const bits = blockBitsOf(storage);
    if (bits === null) return elementCount(shape) * (storage === 'float16' ? 2 : 4);
    const [rows = 0, width = 0] = shape;
    const { numbers, scales, zeros } = blockBytes(rows, isOdd ? BLOCK : width, bits);
    if (!isOdd) return numbers + scales + zeros;
    return (numbers + scales + zeros / 2) * (width / BLOCK + 0.5);
  };
  const globals = globalRoles(config).map((role) => bytesOf(globalWeightShape(config, role), true, false));
  const layers = config.layers.flatMap((_, layer) => layerRoles(config).map((role) => bytesOf(layerWeightShape(config, layer, role), false, areWidthsOdd && role === 'down')));
  return [...globals, ...layers].reduce((sum, bytes) => sum + bytes, rotaryBytes(config));
}

/** Rows of down that are no whole blocks are filled up with zeros, which cost as much as weights. */
export function onnxWidthStep(type: OnnxFileType): number {
  return type === 'INT4' ? BLOCK : 1;
}

function rotaryBytes({ design, headDim, maxPositions }: ModelConfig): number {
  const one = 4 * maxPositions * rotaryWidthOf(design, headDim);
  return design.localRope === null ? one : 2 * one;
}

/** A view whose weights have gone through the storage of a file of this type. */
export function roundedForOnnx(view: ModelView, type: OnnxFileType): ModelView {
  if (type !== 'INT4') return roundedView(view, plainTypes(type, 'F32'));
  const rounded = async (tensor: Promise<Tensor32>, isTable: boolean): Promise<Tensor32> => {
    const { shape, data } = await tensor;
    const bits = blockBitsOf(onnxStorage(shape, isTable, type));
    const [, width = 1] = shape;
    return { shape, data: bits === null ? data : decodeRows(encodeRows(data, width, bits), width, bits) };
  };
  return {
    config: view.config,
    readGlobal: (role: GlobalRole) => rounded(view.readGlobal(role), true),
    readLayer: (layer: number, role: LayerRole) => rounded(view.readLayer(layer, role), false),
  };
}
