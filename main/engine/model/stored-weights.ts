/**
 * Between the weights of a model by role and the tensors of its files: several linears in one matrix, matrices stored
 * as [in, out], scales stored less 1. One list says what a file of a family holds; reading and writing both follow it.
 */
import { breathe } from '../support/progress';
import { PLAIN_TYPE_BYTES, decodePlain } from '../tensors/elements';
import type { Tensor32 } from '../tensors/handle';
import { isFloatType } from '../tensors/range';
import { ROWS_CHUNK_BYTES, rowBytes, rowElements, sliceRows, type RowSource } from '../tensors/rows';
import type { StoredTensor } from '../formats/stored-tensor';
import { elementCount } from '../tensors/shape';
import { transposed } from '../tensors/transpose';
import { LINEAR_ROLES, globalRoles, globalWeightShape, layerRoles, layerWeightShape, linearShape, type GlobalRole, type LayerRole, type LinearRole, type ModelConfig } from './config';
import type { FusedTensor, TensorNames } from './families/family';
import { globalName } from './families/index';
import type { ModelView } from './view';

/** One tensor of a file. */
export interface StoredWeight {
  readonly name: string;
  /** As stored. */
  readonly shape: readonly number[];
  /** Where it belongs: outside the layers, or to one of them with what it holds. */
  readonly of: { readonly layer: null; readonly role: GlobalRole } | { readonly layer: number; readonly roles: readonly LayerRole[] };
}

/** The name of the tensor that holds a layer's weight, by itself or with others; null if the family has no such weight. */
export function storedName(names: TensorNames, layer: number, role: LayerRole): string | null {
  const own = names.layers[role];
  if (own !== undefined) return own.replace('{layer}', String(layer));
  const fused = fusedWith(names, role);
  return fused === null ? null : `${fused.name.replace('{layer}', String(layer))}.${role.endsWith('.bias') ? 'bias' : 'weight'}`;
}

/** Every tensor that a file of this configuration holds: embedding, layers in their order, then the rest. */
export function storedWeights(config: ModelConfig, names: TensorNames): StoredWeight[] {
  const globals = globalRoles(config).map((role): StoredWeight => ({ name: globalName(names, role), shape: globalWeightShape(config, role), of: { layer: null, role } }));
  const layers = config.layers.flatMap((_, layer) => storedLayer(config, names, layer));
  const isFirst = ({ of }: StoredWeight): boolean => of.layer === null && (of.role === 'embedding' || of.role === 'positions');
  return [...globals.filter(isFirst), ...layers, ...globals.filter((weight) => !isFirst(weight))];
}

function storedLayer(config: ModelConfig, names: TensorNames, layer: number): StoredWeight[] {
  const parts = new Map<string, LayerRole[]>();
  for (const role of layerRoles(config)) {
    const name = storedName(names, layer, role) ?? role;
    parts.set(name, [...(parts.get(name) ?? []), role]);
  }
  return [...parts].map(([name, roles]) => {
    const shapes = roles.map((role) => layerWeightShape(config, layer, role));
    const joined = [shapes.reduce((sum, [rows = 0]) => sum + rows, 0), ...(shapes[0]?.slice(1) ?? [])];
    return { name, shape: isTransposed(names, joined) ? [...joined].reverse() : joined, of: { layer, roles } };
  });
}

/** The values of a tensor to be written, from a view, as the file holds them; `prepare` may reorder each part's rows first. */
export async function writtenValues(
  view: ModelView,
  names: TensorNames,
  { of, shape }: StoredWeight,
  prepare: (role: LayerRole, tensor: Tensor32) => Float32Array = (_, { data }) => data,
): Promise<Float32Array> {
  if (of.layer === null) {
    const { data } = await view.readGlobal(of.role);
    return isStoredLessOne(names, of.role) ? data.map((value) => value - 1) : data;
  }
  const { layer, roles } = of;
  const [first, ...others] = roles;
  if (first === undefined) return new Float32Array(0);
  if (others.length === 0 && !isTransposed(names, shape)) {
    const data = prepare(first, await view.readLayer(layer, first));
    return isStoredLessOne(names, first) ? data.map((value) => value - 1) : data;
  }
  const [rows = 0, width = 1] = isTransposed(names, shape) ? [...shape].reverse() : shape;
  const joined = new Float32Array(rows * width);
  for (const role of roles) {
    const part = prepare(role, await view.readLayer(layer, role));
    if (fusedWith(names, role) === null) joined.set(part);
    else partRows(view.config, names, layer, role).forEach((row, at) => joined.set(part.subarray(at * width, (at + 1) * width), row * width));
  }
  return isTransposed(names, shape) ? transposed({ shape: [rows, width], data: joined }).data : joined;
}

/** The same row by row as stored, where a tensor is one weight that is not changed on its way; else null. */
export function writtenRows(view: ModelView, names: TensorNames, { of, shape }: StoredWeight): RowSource | null {
  if (of.layer === null) return isStoredLessOne(names, of.role) ? null : (view.globalRows?.(of.role) ?? null);
  const [role, ...others] = of.roles;
  if (role === undefined || others.length > 0 || isTransposed(names, shape) || isStoredLessOne(names, role)) return null;
  return view.layerRows?.(of.layer, role) ?? null;
}

/** A layer's weight from the tensor that holds it, [out, in], in new memory or in `into`. */
export async function readStored(
  config: ModelConfig,
  names: TensorNames,
  layer: number,
  role: LayerRole,
  tensor: StoredTensor,
  into?: Float32Array,
): Promise<Float32Array> {
  const shape = layerWeightShape(config, layer, role);
  const rows = storedRows(config, names, layer, role, tensor);
  const isWhole = fusedWith(names, role) === null;
  if (isWhole && !isTransposed(names, tensor.shape)) {
    const data = await tensor.readFloat32(into);
    if (isStoredLessOne(names, role)) data.forEach((value, at) => (data[at] = value + 1));
    return data;
  }
  const target = into ?? new Float32Array(elementCount(shape));
  if (rows !== null) return decodeRows(rows, target);
  const [first = 1, second = 1] = tensor.shape;
  const stored = await tensor.readFloat32();
  const whole = isTransposed(names, tensor.shape) ? transposed({ shape: [first, second], data: stored }).data : stored;
  const width = shape[1] ?? 1;
  if (isWhole) target.set(whole);
  else partRows(config, names, layer, role).forEach((row, at) => target.set(whole.subarray(row * width, (row + 1) * width), at * width));
  return target;
}

/** The same row by row as stored; null where that is not how the file holds it. */
export function storedRows(config: ModelConfig, names: TensorNames, layer: number, role: LayerRole, tensor: StoredTensor): RowSource | null {
  const rows = rowsOf(tensor);
  if (rows === null || isTransposed(names, tensor.shape) || isStoredLessOne(names, role)) return null;
  return fusedWith(names, role) === null ? rows : sliceRows(rows, { rows: partRows(config, names, layer, role), columns: null });
}

/** A stored tensor row by row; null for types whose elements do not stand alone. */
export function rowsOf(tensor: StoredTensor): RowSource | null {
  const { shape, storedType } = tensor;
  if (!isFloatType(storedType) || shape.length === 0) return null;
  const width = rowElements(shape) * PLAIN_TYPE_BYTES[storedType];
  return { shape, type: storedType, readInto: (target, first) => tensor.readBytesInto(target, first * width) };
}

/** Whether scales of this role are stored less 1. */
export function isStoredLessOne(names: TensorNames, role: LayerRole | GlobalRole): boolean {
  return names.scalesLessOne === true && role.endsWith('Norm');
}

async function decodeRows(rows: RowSource, target: Float32Array): Promise<Float32Array> {
  const [bytes, width] = [rowBytes(rows), rowElements(rows.shape)];
  const [count = 0] = rows.shape;
  const most = Math.max(1, Math.floor(ROWS_CHUNK_BYTES / bytes));
  for (let first = 0; first < count; first += most) {
    const piece = new Uint8Array(Math.min(most, count - first) * bytes);
    await breathe(undefined);
    rows.readInto(piece, first);
    decodePlain(rows.type, piece, target, first * width);
  }
  return target;
}

/** Rows of a fused matrix that belong to one of its linears, in the order of that linear's own rows. */
function partRows(config: ModelConfig, names: TensorNames, layer: number, role: LayerRole): number[] {
  const fused = fusedWith(names, role);
  const shape = config.layers[layer];
  const linear = linearOf(role);
  if (fused === null || shape === undefined || linear === null) return [];
  const counts = fused.roles.map((one) => linearShape(config, shape, one)[0]);
  const at = fused.roles.indexOf(linear);
  const count = counts[at] ?? 0;
  if (fused.order === 'heads') {
    // Each head has D rows of each linear; all have as many heads.
    const { headDim } = config;
    const turn = fused.roles.length * headDim;
    return Array.from({ length: count }, (_, row) => Math.floor(row / headDim) * turn + at * headDim + (row % headDim));
  }
  const before = counts.slice(0, at).reduce((sum, one) => sum + one, 0);
  return Array.from({ length: count }, (_, row) => before + row);
}

function fusedWith(names: TensorNames, role: LayerRole): FusedTensor | null {
  const linear = linearOf(role);
  return names.fused?.find(({ roles }) => linear !== null && roles.includes(linear)) ?? null;
}

function linearOf(role: LayerRole): LinearRole | null {
  return LINEAR_ROLES.find((linear) => role === linear || role === `${linear}.bias`) ?? null;
}

function isTransposed(names: TensorNames, shape: readonly number[]): boolean {
  return names.transposed === true && shape.length === 2;
}
