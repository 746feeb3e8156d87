/**
 * Collects the nodes and tensors of an ONNX model whose weights lie in a file beside it, and encodes the model. Knows
 * no architecture. Graphs that this program computes with itself are made by `graph/builder` instead: those have
 * derivatives, these have operators that only readers of models know.
 */
import { EXTERNAL_DATA, encodeModelProto, onnxTypes } from '../graph/onnx/schema';
import { encodeAttribute, encodeTensor } from '../graph/onnx/serialise';
import type { OnnxAttribute } from '../graph/op-rule';
import { elementCount } from '../tensors/shape';

/** Operator set and IR version: old enough for every release of onnxruntime-genai, new enough for all that is used. */
const OPSET = 17;
const IR_VERSION = 9;
/** What our models name as the program that wrote them. */
export const ONNX_PRODUCER = 'shear';
/** Tensors start at multiples of this, so that readers may map them into memory. */
const ALIGNMENT = 64;

export type OnnxElementType = keyof typeof onnxTypes;

const BYTES = { float32: 4, float16: 2, uint8: 1 } as const;

/** A piece of the data file. */
export interface DataPlace {
  readonly offset: number;
  readonly bytes: number;
}

export interface OnnxNodeOptions {
  readonly domain?: string;
  readonly attributes?: Readonly<Record<string, OnnxAttribute>>;
  readonly name?: string;
}

export class OnnxModelBuilder {
  private readonly nodes: Record<string, unknown>[] = [];
  private readonly tensors = new Map<string, Record<string, unknown>>();
  private readonly inputs: Record<string, unknown>[] = [];
  private readonly outputs: Record<string, unknown>[] = [];
  private dataBytes = 0;
  private count = 0;

  /** `dataFile` is the name of the file beside the model. */
  constructor(private readonly dataFile: string) {}

  /** Bytes of the data file so far. */
  get dataSize(): number {
    return this.dataBytes;
  }

  /** A model input; names in `shape` are dimensions that are free. */
  input(name: string, type: OnnxElementType, shape: readonly (number | string)[]): string {
    this.inputs.push(valueInfo(name, type, shape));
    return name;
  }

  /** Declares a value as model output. */
  output(name: string, type: OnnxElementType, shape: readonly (number | string)[]): void {
    this.outputs.push(valueInfo(name, type, shape));
  }

  /** Small data in the model file itself; made once for each name. */
  constant(name: string, type: OnnxElementType, shape: readonly number[], data: readonly number[]): string {
    if (!this.tensors.has(name)) this.tensors.set(name, encodeTensor(name, type, shape, data));
    return name;
  }

  /** Room in the data file for a tensor that is not written yet. */
  reserve(bytes: number): DataPlace {
    const offset = Math.ceil(this.dataBytes / ALIGNMENT) * ALIGNMENT;
    this.dataBytes = offset + bytes;
    return { offset, bytes };
  }

  /** A tensor whose data are at `place`; several may read the same place under different shapes. */
  stored(name: string, type: keyof typeof BYTES, shape: readonly number[], place: DataPlace): string {
    const entries = { location: this.dataFile, offset: String(place.offset), length: String(elementCount(shape) * BYTES[type]) };
    this.tensors.set(name, {
      name, dataType: onnxTypes[type], dims: shape, dataLocation: EXTERNAL_DATA,
      externalData: Object.entries(entries).map(([key, value]) => ({ key, value })),
    });
    return name;
  }

  /** Appends a node of one result, which is called `name`, and returns that. An empty input is one that is left out. */
  node(op: string, inputs: readonly string[], options: OnnxNodeOptions = {}): string {
    const [output = ''] = this.nodeOf(op, inputs, [options.name ?? `${op}_${this.count}`], options);
    return output;
  }

  /** Appends a node with these results. */
  nodeOf(op: string, inputs: readonly string[], outputs: readonly string[], { domain = '', attributes = {} }: OnnxNodeOptions = {}): readonly string[] {
    this.count++;
    this.nodes.push({
      opType: op, domain, name: `${outputs[0] ?? op}/node`, input: inputs, output: outputs,
      attribute: Object.entries(attributes).map(([name, attribute]) => encodeAttribute(name, attribute)),
    });
    return outputs;
  }

  /** The model as a file. */
  encode(name: string): Uint8Array {
    return encodeModelProto({
      irVersion: IR_VERSION,
      producerName: ONNX_PRODUCER,
      opsetImport: [{ domain: '', version: OPSET }, { domain: 'com.microsoft', version: 1 }],
      graph: { name, node: this.nodes, initializer: [...this.tensors.values()], input: this.inputs, output: this.outputs },
    });
  }
}

function valueInfo(name: string, type: OnnxElementType, shape: readonly (number | string)[]): Record<string, unknown> {
  const dim = shape.map((size) => (typeof size === 'number' ? { dimValue: size } : { dimParam: size }));
  return { name, type: { tensorType: { elemType: onnxTypes[type], shape: { dim } } } };
}
