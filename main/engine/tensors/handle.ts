/** What a checkpoint gives out instead of data: a description of a stored tensor that can be read on demand. */

/** Element types as stored in files. Block types are GGUF's; the 8-bit floats are recognised and not decoded. */
export type StoredType =
  | 'F64' | 'F32' | 'F16' | 'BF16'
  | 'I64' | 'U64' | 'I32' | 'U32' | 'I16' | 'U16' | 'I8' | 'U8' | 'BOOL'
  | 'F8_E4M3' | 'F8_E5M2' | 'F8_E8M0'
  | 'Q4_0' | 'Q4_1' | 'Q5_0' | 'Q5_1' | 'Q8_0' | 'Q2_K' | 'Q3_K' | 'Q4_K' | 'Q5_K' | 'Q6_K' | 'IQ4_NL' | 'IQ4_XS';

/** A tensor in a file. Shapes are row-major, slowest axis first; weights of linears are [out, in]. */
export interface TensorHandle {
  readonly name: string;
  readonly storedType: StoredType;
  readonly shape: readonly number[];
  /** Bytes that it occupies in its file. */
  readonly sizeBytes: number;
  /**
   * The elements as float32, decoded from the stored type: in new memory, or in `into`, which has as many elements.
   * Cost: one read of `sizeBytes`.
   */
  readFloat32(into?: Float32Array): Promise<Float32Array>;
}

/** A tensor in memory, always float32, row-major. */
export interface Tensor32 {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}
