/** Writes one of our graphs as an ONNX model: lowers each node by its rule and encodes the result. */
import { encodeFloat16 } from '../../tensors/half';
import type { Dim } from '../dims';
import type { Constant, Graph, Value } from '../graph';
import { namesOf, type DeviceName, type Lowering, type OnnxAttribute } from '../op-rule';
import { opRule } from '../ops/table';
import { writingOrder } from '../order';
import { verifyGraph } from '../verify';
import { encodeModelProto, onnxAttributeTypes, onnxTypes } from './schema';

/** A graph input that is not in the graph but in its ONNX form: a shape whose symbols the runtime fills in. */
export interface ShapeInput {
  readonly name: string;
  readonly dims: readonly Dim[];
}

export interface SerialisedGraph {
  readonly bytes: Uint8Array;
  readonly shapeInputs: readonly ShapeInput[];
}

/** Operator set 23 and IR version 10: the newest that the pinned runtime implements whole. */
const OPSET = 23;
const IR_VERSION = 10;

/** Encodes a graph for a device. Throws InternalError if it is malformed. */
export function serialiseGraph(graph: Graph, device: DeviceName = 'cpu'): SerialisedGraph {
  verifyGraph(graph);
  const nodes: Record<string, unknown>[] = [];
  const initialisers = graph.constants.map(encodeConstant);
  const lowered = new Set<string>();
  const shapeInputs = new Map<string, ShapeInput>();
  let freshCount = 0;

  /** Adds what lowering needs beside the graph's own constants, once. */
  const constant = (name: string, encoded: Record<string, unknown>): string => {
    if (!lowered.has(name)) initialisers.push(encoded);
    lowered.add(name);
    return name;
  };
  const lowering: Lowering = {
    device,
    node(spec) {
      nodes.push({
        opType: spec.op,
        domain: spec.domain ?? '',
        name: spec.outputs[0] ?? '',
        input: spec.inputs,
        output: spec.outputs,
        attribute: Object.entries(spec.attributes ?? {}).map(([name, attribute]) => encodeAttribute(name, attribute)),
      });
    },
    fresh: () => `inner:${freshCount++}`,
    scalar(type, value) {
      const name = `${type}:${value}`;
      return constant(name, encodeTensor(name, type, [], [value]));
    },
    int64s(values) {
      const name = `int64:${values.join()}`;
      return constant(name, encodeTensor(name, 'int64', [values.length], values));
    },
    shape(dims) {
      const numbers = dims.filter((dim) => typeof dim === 'number');
      if (numbers.length === dims.length) return lowering.int64s(numbers);
      const name = `shape:${dims.join()}`;
      shapeInputs.set(name, { name, dims });
      return name;
    },
  };

  for (const node of writingOrder(graph)) {
    const rule = opRule(node.op);
    if (rule.lower !== undefined) rule.lower(node, lowering);
    else lowering.node({ op: node.op, inputs: namesOf(node.inputs), outputs: namesOf(node.outputs) });
  }

  const shapes = [...shapeInputs.values()];
  const bytes = encodeModelProto({
    irVersion: IR_VERSION,
    producerName: 'shear',
    opsetImport: [
      { domain: '', version: OPSET },
      { domain: 'com.microsoft', version: 1 },
    ],
    graph: {
      name: graph.name,
      node: nodes,
      initializer: initialisers,
      input: [
        ...graph.inputs.map(encodeValueInfo),
        ...shapes.map(({ name, dims }) => encodeValueInfo({ name, type: 'int64', shape: [dims.length] })),
      ],
      output: graph.outputs.map(encodeValueInfo),
    },
  });
  return { bytes, shapeInputs: shapes };
}

/** One attribute of a node. */
export function encodeAttribute(name: string, attribute: OnnxAttribute): Record<string, unknown> {
  const base = { name, type: onnxAttributeTypes[attribute.kind] };
  switch (attribute.kind) {
    case 'int':
      return { ...base, i: attribute.value };
    case 'float':
      return { ...base, f: attribute.value };
    case 'ints':
      return { ...base, ints: attribute.value };
  }
}

function encodeConstant({ value, data }: Constant): Record<string, unknown> {
  return encodeTensor(value.name, value.type, value.shape, data);
}

/** A tensor that is part of the model file, row-major. */
export function encodeTensor(name: string, type: keyof typeof onnxTypes, shape: readonly Dim[], data: readonly number[]): Record<string, unknown> {
  return { name, dataType: onnxTypes[type], dims: shape, rawData: encodeNumbers(type, data) };
}

function encodeNumbers(type: keyof typeof onnxTypes, data: readonly number[]): Uint8Array {
  switch (type) {
    case 'float32':
      return new Uint8Array(Float32Array.from(data).buffer);
    case 'float64':
      return new Uint8Array(Float64Array.from(data).buffer);
    case 'float16': {
      const words = new Uint16Array(data.length);
      encodeFloat16(Float32Array.from(data), words);
      return new Uint8Array(words.buffer);
    }
    case 'int32':
      return new Uint8Array(Int32Array.from(data).buffer);
    case 'int64':
      return new Uint8Array(BigInt64Array.from(data, BigInt).buffer);
    case 'int8':
      return new Uint8Array(Int8Array.from(data).buffer);
    case 'uint8':
    case 'bool':
      return Uint8Array.from(data);
  }
}

function encodeValueInfo(value: Value): Record<string, unknown> {
  const dim = value.shape.map((size) => (typeof size === 'number' ? { dimValue: size } : { dimParam: size }));
  return { name: value.name, type: { tensorType: { elemType: onnxTypes[value.type], shape: { dim } } } };
}
