/**
 * Memory that one piece after another uses: new memory for every piece of a large file would have to be cleared, and
 * found by the system page by page, which takes longer than filling it.
 */
export class ReusedMemory {
  private memory = new Uint8Array(0);

  /** `bytes` of memory with any content, starting where any typed array may; it is the same as that of the last call. */
  take(bytes: number): Uint8Array<ArrayBuffer> {
    if (this.memory.byteLength < bytes) this.memory = new Uint8Array(bytes);
    return this.memory.subarray(0, bytes);
  }
}
