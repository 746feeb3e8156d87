/** Logits of a text: what exported files are compared by. */
import type { Executor } from '../execution/executor';
import type { ExecutableModel } from '../execution/loaded-model';

/** Logits [T, V] of one sequence of ids; holds them all, so keep T small where V is large. */
export async function computeLogits(executor: Executor, model: ExecutableModel, ids: readonly number[]): Promise<Float32Array> {
  const hidden = await executor.forwardBlocks(model, executor.embed(model, ids), { batch: 1, length: ids.length });
  return executor.logits(model, hidden);
}
