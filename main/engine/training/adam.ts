/** AdamW (Loshchilov and Hutter, arXiv 1711.05101) over a list of parameter arrays; its state can be saved and taken up again. */

export interface AdamOptions {
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  readonly weightDecay: number;
}

/** PyTorch's defaults except for weight decay, which LoRA factors are better without. */
export const defaultAdam: AdamOptions = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0 };

export class Adam {
  private readonly first: Float32Array[];
  private readonly second: Float32Array[];
  /** Updates so far. */
  steps = 0;

  constructor(
    private readonly parameters: readonly Float32Array[],
    private readonly options: AdamOptions = defaultAdam,
  ) {
    this.first = parameters.map((values) => new Float32Array(values.length));
    this.second = parameters.map((values) => new Float32Array(values.length));
  }

  /** Both moments of every parameter, as they lie: the optimiser's state together with `steps`. */
  get moments(): readonly Float32Array[] {
    return [...this.first, ...this.second];
  }

  /** One update in place; `gradients` lie like the parameters. */
  step(gradients: readonly Float32Array[], learningRate: number): void {
    const { beta1, beta2, epsilon, weightDecay } = this.options;
    this.steps++;
    const correction1 = 1 - beta1 ** this.steps;
    const correction2 = Math.sqrt(1 - beta2 ** this.steps);
    const rate = learningRate / correction1;
    this.parameters.forEach((values, index) => {
      const gradient = gradients[index];
      const first = this.first[index];
      const second = this.second[index];
      if (gradient === undefined || first === undefined || second === undefined) return;
      for (let at = 0; at < values.length; at++) {
        const slope = gradient[at] ?? 0;
        const mean = beta1 * (first[at] ?? 0) + (1 - beta1) * slope;
        const square = beta2 * (second[at] ?? 0) + (1 - beta2) * slope * slope;
        first[at] = mean;
        second[at] = square;
        const decayed = (values[at] ?? 0) * (1 - learningRate * weightDecay);
        values[at] = decayed - (rate * mean) / (Math.sqrt(square) / correction2 + epsilon);
      }
    });
  }
}

/** Scales gradients in place so that their joint L2 norm is at most `limit`; returns the norm before. */
export function clipGradients(gradients: readonly Float32Array[], limit: number): number {
  let square = 0;
  for (const values of gradients) for (const value of values) square += value * value;
  const norm = Math.sqrt(square);
  if (norm > limit) {
    const scale = limit / norm;
    for (const values of gradients) for (let at = 0; at < values.length; at++) values[at] = (values[at] ?? 0) * scale;
  }
  return norm;
}
