/**
 * The scale of a block: which spacing of levels leaves the least weighted squared error. For given levels the best scale
 * (and minimum) is a least-squares solution, and its error follows from the same sums; so levels from a row of spacings
 * around the obvious one are tried, and the best of their solutions is taken. The idea is llama.cpp's (ggml-quants.c,
 * make_qx_quants and make_qkx2_quants); the sums and the search here are our own.
 */

/** Reused between calls, because blocks are many and small. */
export interface Fit {
  /** Distance between levels. 0 for a block of zeros (or, with a minimum, of equal values). */
  scale: number;
  /** Value of level 0, for types that store it. */
  minimum: number;
}

/** The spacings to try: the values' range is laid over `least`, `least + step`, ... up to `most` levels. */
export interface Trials {
  readonly least: number;
  readonly most: number;
  readonly step: number;
}

/**
 * Fits `minimum + scale * level`, level from 0 to `top`, to the values of a group. With `isMinimumNegative` the minimum
 * is at most 0, which the K types demand. Cost: one pass a trial.
 */
export function fitScaleAndMinimum(
  values: Float64Array, weights: Float64Array, top: number, trials: Trials, isMinimumNegative: boolean, fit: Fit,
): void {
  const count = values.length;
  let least = values[0] as number;
  let most = least;
  let sumW = 0;
  let sumX = 0;
  for (let index = 0; index < count; index++) {
    const value = values[index] as number;
    const weight = weights[index] as number;
    if (value < least) least = value;
    if (value > most) most = value;
    sumW += weight;
    sumX += weight * value;
  }
  if (isMinimumNegative && least > 0) least = 0;
  fit.scale = 0;
  fit.minimum = least;
  const range = most - least;
  if (!(range > 0) || !(sumW > 0)) return;
  fit.scale = range / top;
  let best = Number.NEGATIVE_INFINITY;
  for (let levels = trials.least; levels <= trials.most; levels += trials.step) {
    const perUnit = levels / range;
    let sumL = 0;
    let sumLL = 0;
    let sumXL = 0;
    for (let index = 0; index < count; index++) {
      const value = values[index] as number;
      let level = ((value - least) * perUnit + 0.5) | 0;
      if (level > top) level = top;
      const weighted = (weights[index] as number) * level;
      sumL += weighted;
      sumLL += weighted * level;
      sumXL += weighted * value;
    }
    const determinant = sumW * sumLL - sumL * sumL;
    if (!(determinant > 0)) continue;
    let scale = (sumW * sumXL - sumX * sumL) / determinant;
    let minimum = (sumLL * sumX - sumL * sumXL) / determinant;
    if (isMinimumNegative && minimum > 0) {
      minimum = 0;
      scale = sumXL / sumLL;
    }
    // Sum of squares before minus after: the part of the error that depends on the levels.
    const gain = scale * sumXL + minimum * sumX;
    if (gain > best && scale > 0) {
      best = gain;
      fit.scale = scale;
      fit.minimum = minimum;
    }
  }
}

/**
 * Fits `scale * (level - middle)`, level from 0 to `2 * middle - 1`, to the values of a group; answers the scale. It is
 * negative where the value of the largest magnitude is positive, since there is one level more below the middle than above.
 * Cost: one pass a trial.
 */
export function fitScale(values: Float64Array, weights: Float64Array, middle: number, trials: Trials): number {
  const count = values.length;
  let extreme = 0;
  for (let index = 0; index < count; index++) {
    const value = values[index] as number;
    if (Math.abs(value) > Math.abs(extreme)) extreme = value;
  }
  if (extreme === 0) return 0;
  const top = 2 * middle - 1;
  let best = 0;
  let found = -extreme / middle;
  for (let levels = trials.least; levels <= trials.most; levels += trials.step) {
    const perUnit = -levels / extreme;
    let sumLL = 0;
    let sumXL = 0;
    for (let index = 0; index < count; index++) {
      const value = values[index] as number;
      let level = (value * perUnit + middle + 0.5) | 0;
      if (level > top) level = top;
      else if (level < 0) level = 0;
      level -= middle;
      const weighted = (weights[index] as number) * level;
      sumLL += weighted * level;
      sumXL += weighted * value;
    }
    if (!(sumLL > 0)) continue;
    const gain = (sumXL * sumXL) / sumLL;
    if (gain > best) {
      best = gain;
      found = sumXL / sumLL;
    }
  }
  return found;
}

/** Copies a group of values, from `at` on, to where the fits want it. */
export function takeGroup(values: Float32Array, at: number, group: Float64Array): void {
  for (let index = 0; index < group.length; index++) group[index] = values[at + index] as number;
}
