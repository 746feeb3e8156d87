/** Reads ONNX backend cases: a model of one node, the tensors given to it and those expected. */
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import * as v from 'valibot';
import { decodeProto, onnxTypes } from '../../main/engine/graph/onnx/schema';
import { elementCount } from '../../main/engine/tensors/shape';

/** A tensor of a case; `values` in row-major order. */
export interface CaseTensor {
  readonly name: string;
  readonly type: 'float32' | 'int64';
  readonly shape: readonly number[];
  readonly values: readonly number[];
}

export interface OnnxCase {
  readonly op: string;
  readonly attributes: ReadonlyMap<string, number | string | readonly number[]>;
  readonly inputs: readonly CaseTensor[];
  readonly outputs: readonly CaseTensor[];
}

const bytesSchema = v.instance(Uint8Array);
const tensorSchema = v.object({
  dims: v.array(v.number()),
  dataType: v.number(),
  name: v.string(),
  floatData: v.array(v.number()),
  int64Data: v.array(v.number()),
  rawData: bytesSchema,
});
const attributeSchema = v.object({ name: v.string(), f: v.number(), i: v.number(), s: bytesSchema, ints: v.array(v.number()), type: v.number() });
const modelSchema = v.object({
  graph: v.object({
    node: v.tuple([v.object({ opType: v.string(), input: v.array(v.string()), output: v.array(v.string()), attribute: v.array(attributeSchema) })]),
  }),
});

/** Reads a case's folder. Throws where the model has not exactly one node, or a tensor is of another type than float32 and int64. */
export async function readOnnxCase(folder: string): Promise<OnnxCase> {
  const { graph } = v.parse(modelSchema, decodeProto('ModelProto', await readFile(join(folder, 'model.onnx'))));
  const [node] = graph.node;
  const data = join(folder, 'test_data_set_0');
  const names = await readdir(data);
  const read = (stem: string): Promise<CaseTensor[]> => {
    const files = names.filter((name) => name.startsWith(stem)).sort();
    return Promise.all(files.map(async (name) => readTensor(await readFile(join(data, name)))));
  };
  const attributes = new Map<string, number | string | readonly number[]>(
    node.attribute.map(({ name, f, i, s, ints, type }) => {
      // AttributeProto.AttributeType: 1 FLOAT, 2 INT, 3 STRING, 7 INTS.
      if (type === 1) return [name, f] as const;
      if (type === 2) return [name, i] as const;
      if (type === 3) return [name, new TextDecoder().decode(s)] as const;
      if (type === 7) return [name, ints] as const;
      throw new Error(`attribute ${name} is of kind ${type}`);
    }),
  );
  return { op: node.opType, attributes, inputs: await read('input_'), outputs: await read('output_') };
}

function readTensor(bytes: Uint8Array): CaseTensor {
  const { name, dims, dataType, floatData, int64Data, rawData } = v.parse(tensorSchema, decodeProto('TensorProto', bytes));
  // The raw bytes lie anywhere in the file; typed arrays want them aligned.
  const raw = Uint8Array.from(rawData).buffer;
  const isFloat = dataType === onnxTypes.float32;
  if (!isFloat && dataType !== onnxTypes.int64) throw new Error(`${name} has the element type ${dataType}`);
  const stored = isFloat ? floatData : int64Data;
  const values = raw.byteLength === 0 ? stored : isFloat ? Array.from(new Float32Array(raw)) : Array.from(new BigInt64Array(raw), Number);
  if (values.length !== elementCount(dims)) throw new Error(`${name} holds ${values.length} numbers for [${dims.join(', ')}]`);
  return { name, type: isFloat ? 'float32' : 'int64', shape: dims, values };
}
