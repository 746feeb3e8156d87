/** Tensors that stay where sessions compute, so that they need not travel at each run. Only sessions can read them. */
import type { Tensor } from 'onnxruntime-node';
import type { DeviceName } from '../graph/op-rule';
import { InternalError } from '../support/errors';

/** A tensor in a device's memory (on the CPU, in the runtime's). Whoever holds it disposes it. */
export class ResidentTensor {
  private held: Tensor | null;
  private place: DeviceName;

  /** `tensor` lies on `device`; `restore` makes a copy in the CPU's memory, for when the CPU takes over. */
  constructor(
    tensor: Tensor,
    device: DeviceName,
    readonly type: 'float32' | 'float16',
    private readonly restore: () => Promise<Tensor>,
  ) {
    this.held = tensor;
    this.place = device;
    this.shape = [...tensor.dims];
  }

  readonly shape: readonly number[];

  /** Where it lies now. */
  get device(): DeviceName {
    return this.place;
  }

  /** The runtime's tensor, for sessions. Throws InternalError once disposed. */
  get tensor(): Tensor {
    if (this.held === null) throw new InternalError('A tensor on the device was used after it was given up.');
    return this.held;
  }

  /** Moves it into the CPU's memory. Throws what the device throws where it can no longer be read. */
  async moveToCpu(): Promise<void> {
    if (this.place === 'cpu') return;
    const moved = await this.restore();
    this.held?.dispose();
    this.held = moved;
    this.place = 'cpu';
  }

  /** Gives the memory back; a second call does nothing. */
  dispose(): void {
    this.held?.dispose();
    this.held = null;
  }
}
