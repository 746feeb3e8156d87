/**
 * A model as something that weights can be read from, one at a time: an opened checkpoint, a sliced or merged
 * form of another view, or weights in memory. Export and the runtime see only this.
 */
import type { Tensor32 } from '../tensors/handle';
import type { RowSource } from '../tensors/rows';
import type { GlobalRole, LayerRole, ModelConfig } from './config';

export { globalRoles, layerRoles } from './config';

export interface ModelView {
  readonly config: ModelConfig;
  readGlobal(role: GlobalRole): Promise<Tensor32>;
  /** The weight in new memory, or in `into` of its size where the view can use that. */
  readLayer(layer: number, role: LayerRole, into?: Float32Array): Promise<Tensor32>;
  /** Writes a weight back in place; absent where weights can only be read. */
  writeLayer?(layer: number, role: LayerRole, tensor: Tensor32): Promise<void>;
  /**
   * The same weights row by row as they are stored, for copying without loading; null or absent where that cannot be
   * had. A view that changes what it reads must not pass these on.
   */
  globalRows?(role: GlobalRole): RowSource | null;
  layerRows?(layer: number, role: LayerRole): RowSource | null;
}
