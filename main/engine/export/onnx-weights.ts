/** The weights of an ONNX model: where each lies in the data file, how graph nodes get at it, and what fills its place. */
import { float, int } from '../graph/op-rule';
import { globalWeightShape, layerWeightShape, type GlobalRole, type LayerRole, type ModelConfig, type Rope } from '../model/config';
import { elementCount } from '../tensors/shape';
import { BLOCK, blockBytes, blocksOf } from './onnx-blocks';
import type { DataPlace, OnnxModelBuilder } from './onnx-nodes';
import { blockBitsOf, onnxStorage, type OnnxFileType, type OnnxStorage } from './onnx-types';

/** Which weight a place holds. */
export type WeightOf = { readonly layer: null; readonly role: GlobalRole } | { readonly layer: number; readonly role: LayerRole };

/** A weight of the model and its place in the data file: one, or in blocks those of numbers, scales and zeros. */
export interface PlannedWeight {
  readonly kind: 'weight';
  readonly name: string;
  readonly of: WeightOf;
  readonly shape: readonly number[];
  readonly storage: OnnxStorage;
  readonly places: readonly DataPlace[];
}

/** A table of cosines or sines by position, [P, R/2]. */
export interface PlannedTable {
  readonly kind: 'table';
  readonly rope: Rope;
  readonly half: number;
  readonly function: 'cos' | 'sin';
  readonly place: DataPlace;
}

export type PlannedData = PlannedWeight | PlannedTable;

/** Gives graph nodes the weights of a model, each planned once, in the order of the data file. */
export class OnnxWeights {
  readonly planned: PlannedData[] = [];
  private readonly known = new Map<string, PlannedWeight>();
  private readonly cast = new Map<string, string>();
  private readonly tables = new Map<Rope, { readonly cosines: string; readonly sines: string }>();

  constructor(
    private readonly builder: OnnxModelBuilder,
    private readonly config: ModelConfig,
    private readonly type: OnnxFileType,
  ) {}

  /** A weight as a float32 value. Only for what is not stored in blocks. */
  value(of: WeightOf): string {
    const { name, shape, storage, places } = this.plan(of);
    const known = this.cast.get(name);
    if (known !== undefined) return known;
    const [place] = places;
    if (place === undefined || (storage !== 'float32' && storage !== 'float16')) throw new TypeError(`${name} is stored in blocks.`);
    const stored = this.builder.stored(name, storage, shape, place);
    // Computing stays in float32: activations of some families are beyond float16, and every processor has these operators.
    const value = storage === 'float32' ? stored : this.builder.node('Cast', [stored], { attributes: { to: int(1) }, name: `${name}.float32` });
    this.cast.set(name, value);
    return value;
  }

  /** `input` [N, in] times a matrix [out, in] transposed, plus a bias [out]: [N, out]. */
  product(input: string, of: WeightOf, bias: string | null): string {
    const weight = this.plan(of);
    const bits = blockBitsOf(weight.storage);
    const [out = 0, width = 0] = weight.shape;
    if (bits === null) {
      return this.builder.node('Gemm', [input, this.value(of), ...(bias === null ? [] : [bias])], { attributes: { transB: int(1), alpha: float(1), beta: float(1) } });
    }
    const product = this.builder.node('MatMulNBits', [input, ...this.blocks(weight, [out, blocksOf(width), (BLOCK * bits) / 8])], {
      domain: 'com.microsoft',
      attributes: { K: int(width), N: int(out), bits: int(bits), block_size: int(BLOCK) },
    });
    return bias === null ? product : this.builder.node('Add', [product, bias]);
  }

  /** Rows of a table [V, C] by `ids` [N]: [N, C]. */
  rows(ids: string, role: 'embedding' | 'positions'): string {
    const weight = this.plan({ layer: null, role });
    const [count = 0, width = 0] = weight.shape;
    if (blockBitsOf(weight.storage) === null) {
      // The rows alone are made float32, not the table.
      const [place] = weight.places;
      if (weight.storage === 'float32' || place === undefined) return this.builder.node('Gather', [this.value({ layer: null, role }), ids]);
      const stored = this.builder.stored(weight.name, 'float16', weight.shape, place);
      return this.builder.node('Cast', [this.builder.node('Gather', [stored, ids])], { attributes: { to: int(1) } });
    }
    const filled = blocksOf(width) * BLOCK;
    const [numbers = '', ...scales] = this.blocks(weight, [count, filled], '.rows');
    const rows = this.builder.node('GatherBlockQuantized', [numbers, ids, ...scales], {
      domain: 'com.microsoft',
      attributes: { gather_axis: int(0), quantize_axis: int(1), block_size: int(BLOCK), bits: int(8) },
    });
    if (filled === width) return rows;
    const bound = (value: number): string => this.builder.constant(`int64:${value}`, 'int64', [1], [value]);
    return this.builder.node('Slice', [rows, bound(0), bound(width), bound(1)]);
  }

  /** Tables of cosines and sines [P, R/2] for rotary positions. */
  rotary(rope: Rope, half: number): { readonly cosines: string; readonly sines: string } {
    const known = this.tables.get(rope);
    if (known !== undefined) return known;
    const shape = [this.config.maxPositions, half];
    const table = (kind: 'cos' | 'sin'): string => {
      const place = this.builder.reserve(elementCount(shape) * 4);
      this.planned.push({ kind: 'table', rope, half, function: kind, place });
      return this.builder.stored(`rotary.${kind}.${this.tables.size}`, 'float32', shape, place);
    };
    const made = { cosines: table('cos'), sines: table('sin') };
    this.tables.set(rope, made);
    return made;
  }

  /** Names of numbers (in a shape that the operator wants), scales and, in 4 bits, zeros. */
  private blocks({ name, shape, places }: PlannedWeight, numberShape: readonly number[], variant = ''): string[] {
    const [rows = 0, width = 0] = shape;
    const [numbers, scales, zeros] = places;
    if (numbers === undefined || scales === undefined) throw new TypeError(`${name} is not stored in blocks.`);
    return [
      this.builder.stored(`${name}.blocks${variant}`, 'uint8', numberShape, numbers),
      this.builder.stored(`${name}.scales`, 'float32', [rows, blocksOf(width)], scales),
      ...(zeros === undefined ? [] : [this.builder.stored(`${name}.zeros`, 'uint8', [rows, Math.ceil(blocksOf(width) / 2)], zeros)]),
    ];
  }

  private plan(of: WeightOf): PlannedWeight {
    const name = of.layer === null ? of.role : `layers.${of.layer}.${of.role}`;
    const known = this.known.get(name);
    if (known !== undefined) return known;
    const shape = of.layer === null ? globalWeightShape(this.config, of.role) : layerWeightShape(this.config, of.layer, of.role);
    const storage = onnxStorage(shape, of.layer === null, this.type);
    const bits = blockBitsOf(storage);
    const [rows = 0, width = 0] = shape;
    const sizes = bits === null ? null : blockBytes(rows, width, bits);
    const bytes = sizes === null ? [elementCount(shape) * (storage === 'float16' ? 2 : 4)] : [sizes.numbers, sizes.scales, sizes.zeros];
    const weight: PlannedWeight = { kind: 'weight', name, of, shape, storage, places: bytes.filter((size) => size > 0).map((size) => this.builder.reserve(size)) };
    this.known.set(name, weight);
    this.planned.push(weight);
    return weight;
  }
}
