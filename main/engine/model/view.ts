/**
 * A model as something that weights can be read from, one at a time: an opened checkpoint, a sliced or merged
 * form of another view, or weights in memory. Export and the runtime see only this.
 */
import type { Tensor32 } from '../tensors/handle';
import type { RowSource } from '../tensors/rows';
import type { GlobalRole, LayerRole, ModelConfig } from './config';

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

/** Roles present in every layer of a configuration, in the order in which files are written. */
export function layerRoles(config: ModelConfig): readonly LayerRole[] {
  const roles: LayerRole[] = ['attentionNorm'];
  for (const role of ['q', 'k', 'v', 'o'] as const) {
    roles.push(role);
    if (config.biases.has(role)) roles.push(`${role}.bias`);
  }
  roles.push('mlpNorm');
  for (const role of ['gate', 'up', 'down'] as const) {
    roles.push(role);
    if (config.biases.has(role)) roles.push(`${role}.bias`);
  }
  return roles;
}

/** Global roles present in a configuration. */
export function globalRoles(config: ModelConfig): readonly GlobalRole[] {
  return config.tied ? ['embedding', 'finalNorm'] : ['embedding', 'finalNorm', 'head'];
}
