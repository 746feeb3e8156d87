/** Numbers as the report and the model card write them. */

/** 1,234,567 */
export function asCount(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}

/** Decimal units, as disks and download pages count: 12.3 MB. */
export function asBytes(bytes: number): string {
  if (bytes >= 1e9) return `${(bytes / 1e9).toFixed(2)} GB`;
  if (bytes >= 1e6) return `${(bytes / 1e6).toFixed(1)} MB`;
  if (bytes >= 1e3) return `${(bytes / 1e3).toFixed(1)} kB`;
  return `${bytes} bytes`;
}

/** A share from 0 to 1: 19.9%. */
export function asPercent(share: number): string {
  return `${(share * 100).toFixed(1)}%`;
}

/** A duration in its two largest units: 1 h 12 min. */
export function asDuration(seconds: number): string {
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

/** Four significant digits, without exponents where people would not expect one. */
export function asFigure(value: number): string {
  if (!Number.isFinite(value)) return 'not a number';
  return value >= 10_000 ? asCount(value) : String(Number(value.toPrecision(4)));
}
