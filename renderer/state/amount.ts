/** Amounts as people write them: a number and a unit, apart from the whole number that they stand for. */

/** Units that are offered, smallest first, with how many of the counted thing each is. */
export const BYTE_UNITS = [
  { name: 'kB', factor: 1e3 },
  { name: 'MB', factor: 1e6 },
  { name: 'GB', factor: 1e9 },
] as const;

/** The same for parameters, which people count in words. */
export const COUNT_UNITS = [
  { name: 'thousand', factor: 1e3 },
  { name: 'million', factor: 1e6 },
  { name: 'billion', factor: 1e9 },
] as const;

export type ByteUnit = (typeof BYTE_UNITS)[number]['name'];
export type CountUnit = (typeof COUNT_UNITS)[number]['name'];

/** A number with its unit, as it stands in a field. */
export interface Amount<Unit extends string> {
  readonly number: number;
  readonly unit: Unit;
}

type Units<Unit extends string> = readonly { readonly name: Unit; readonly factor: number }[];

/** Digits of an amount that the program suggests. */
const SUGGESTED_DIGITS = 3;

/** The whole number that an amount stands for, at least 1. */
export function valueOf<Unit extends string>({ number, unit }: Amount<Unit>, units: Units<Unit>): number {
  const factor = units.find(({ name }) => name === unit)?.factor ?? 1;
  return Math.max(1, Math.min(Number.MAX_SAFE_INTEGER, Math.round(number * factor)));
}

/** A value in the largest unit of which it is at least one (else the smallest), to three digits. */
export function amountOf<Unit extends string>(value: number, units: Units<Unit> & readonly [unknown, ...unknown[]]): Amount<Unit> {
  const { name, factor } = units.reduce((best, unit) => (unit.factor <= value ? unit : best));
  return { number: Number((value / factor).toPrecision(SUGGESTED_DIGITS)), unit: name };
}
