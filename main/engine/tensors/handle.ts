/** What a checkpoint gives out instead of data: a description of a stored tensor that can be read on demand. */

/** Element types as stored in files. Block types are GGUF's. */
export type StoredType =
  | 'F64' | 'F32' | 'F16' | 'BF16'
  | 'I64' | 'I32' | 'I16' | 'I8' | 'U8' | 'BOOL'
  | 'Q4_0' | 'Q4_1' | 'Q8_0';

/** A tensor in a file. Shapes are row-major, slowest axis first; weights of linears are [out, in]. */
export interface TensorHandle {
  readonly name: string;
  readonly storedType: StoredType;
  readonly shape: readonly number[];
  /** Bytes that it occupies in its file. */
  readonly sizeBytes: number;
  /** The elements as float32, decoded from the stored type. Cost: one read of `sizeBytes`. */
  readFloat32(): Promise<Float32Array>;
}

/** A tensor in memory, always float32, row-major. */
export interface Tensor32 {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}
