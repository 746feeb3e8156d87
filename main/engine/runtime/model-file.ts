/** A whole model in an ONNX file, run as any program would run it: for checking what was written. Builds no graph. */
import type { InferenceSession, Tensor } from 'onnxruntime-node';
import { SessionError } from '../support/errors';
import { createSession } from './create-session';
import { messageOf, runtimeOptions } from './device-options';
import { fromOrt, toOrt, type RuntimeTensor } from './session';

export interface ModelFileOptions {
  readonly threads: number;
  /**
   * `spare` leaves weights in their file and changes nothing about the graph, so that a model larger than memory runs,
   * slowly; `fast` is what programs do unless told otherwise.
   */
  readonly memory: 'spare' | 'fast';
}

export class ModelFile {
  private constructor(
    private readonly session: InferenceSession,
    private readonly path: string,
  ) {}

  /** Opens an .onnx file and the data beside it. Throws SessionError if the runtime refuses it. The caller disposes. */
  static async open(path: string, { threads, memory }: ModelFileOptions): Promise<ModelFile> {
    const options = runtimeOptions('cpu', { threads }, new Set());
    const spare = { graphOptimizationLevel: 'disabled', extra: { session: { intra_op: { allow_spinning: '0' }, disable_prepacking: '1' } } } as const;
    try {
      return new ModelFile(await createSession(path, memory === 'spare' ? { ...options, ...spare } : options), path);
    } catch (error) {
      throw new SessionError(`The runtime cannot open ${path}: ${messageOf(error)}`, { cause: error, details: { file: path } });
    }
  }

  /** Computes all outputs from all inputs, both by name. Blocks the thread. Throws SessionError on failure. */
  async run(feeds: ReadonlyMap<string, RuntimeTensor>): Promise<Map<string, RuntimeTensor>> {
    const given: Record<string, Tensor> = {};
    for (const [name, feed] of feeds) given[name] = toOrt(feed);
    try {
      const results = await this.session.run(given);
      return new Map(this.session.outputNames.map((name) => [name, fromOrt(results[name], name)]));
    } catch (error) {
      throw new SessionError(`The runtime failed in ${this.path}: ${messageOf(error)}`, { cause: error, details: { file: this.path } });
    }
  }

  async dispose(): Promise<void> {
    await this.session.release();
  }
}
