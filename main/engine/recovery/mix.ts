/**
 * The dynamic mix of recovery (LoRAShear, Algorithm 5): sources that lost more are seen more, while all keep a share.
 * The paper gives no formula; ours is w = (1 - beta) softmax(degradation / temperature) + beta / n, times the user's
 * weights.
 */

export interface MixOptions {
  readonly beta: number;
  /** In nats: how sharply differences of degradation turn into differences of share. */
  readonly temperature: number;
}

/** Shares that sum to 1. `degradations` are rises of loss in nats against the full model, `weights` the user's. */
export function mixShares(degradations: readonly number[], weights: readonly number[], { beta, temperature }: MixOptions): number[] {
  const top = Math.max(...degradations);
  const raised = degradations.map((value) => Math.exp((value - top) / temperature));
  const sum = raised.reduce((total, value) => total + value, 0);
  const shares = raised.map((value, index) => ((1 - beta) * (value / sum) + beta / raised.length) * (weights[index] ?? 0));
  const total = shares.reduce((all, value) => all + value, 0);
  return total === 0 ? shares.map(() => 1 / shares.length) : shares.map((value) => value / total);
}
