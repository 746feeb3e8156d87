/** Numbers, sizes and times in words, by Intl; decimal units as shops and file managers print them. */

const LOCALE = 'en';
const count = new Intl.NumberFormat(LOCALE);
const compact = new Intl.NumberFormat(LOCALE, { notation: 'compact', compactDisplay: 'long', maximumSignificantDigits: 4 });
const rounded = new Intl.NumberFormat(LOCALE, { notation: 'compact', compactDisplay: 'long', maximumSignificantDigits: 3 });
const percent = new Intl.NumberFormat(LOCALE, { style: 'percent', maximumFractionDigits: 1 });
const wholePercent = new Intl.NumberFormat(LOCALE, { style: 'percent', maximumFractionDigits: 0 });
const significant = new Intl.NumberFormat(LOCALE, { maximumSignificantDigits: 4 });
const times = new Intl.NumberFormat(LOCALE, { maximumSignificantDigits: 2 });
const tiny = new Intl.NumberFormat(LOCALE, { notation: 'scientific', maximumSignificantDigits: 2 });
const date = new Intl.DateTimeFormat(LOCALE, { dateStyle: 'medium', timeStyle: 'short' });
const plural = new Intl.PluralRules(LOCALE);
const languages = new Intl.DisplayNames([LOCALE], { type: 'language', fallback: 'code' });

const BYTE_UNITS = ['byte', 'kilobyte', 'megabyte', 'gigabyte', 'terabyte'] as const;

/** 134,515,008 */
export function formatCount(value: number): string {
  return count.format(value);
}

/** 134.5 million */
export function formatCompact(value: number): string {
  return compact.format(value);
}

/** 135 million, where space is scarce. */
export function formatRounded(value: number): string {
  return rounded.format(value);
}

/** Bytes in decimal units: 269 MB. */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let index = 0;
  while (value >= 999.5 && index < BYTE_UNITS.length - 1) {
    value /= 1000;
    index += 1;
  }
  const unit = BYTE_UNITS[index] ?? 'byte';
  return new Intl.NumberFormat(LOCALE, {
    style: 'unit', unit, unitDisplay: index === 0 ? 'long' : 'short', maximumSignificantDigits: 3,
  }).format(value);
}

/** A share of 0 to 1 as 19.8%. */
export function formatPercent(share: number): string {
  return percent.format(share);
}

/** A share of 0 to 1 as 20%. */
export function formatWholePercent(share: number): string {
  return wholePercent.format(share);
}

/** Four significant digits; very small figures in powers of ten. */
export function formatFigure(value: number): string {
  if (!Number.isFinite(value)) return '–';
  return value !== 0 && Math.abs(value) < 1e-3 ? tiny.format(value) : significant.format(value);
}

/** How many times, to two digits: 1.2. */
export function formatTimes(value: number): string {
  return times.format(value);
}

/** Two decimals, for cells of maps. */
export function formatCell(value: number): string {
  return value.toFixed(2);
}

/** A time as people say it: "less than 10 seconds", "about 4 minutes", "about 2 hours". */
export function formatDuration(seconds: number): string {
  if (seconds < 10) return 'less than 10 seconds';
  if (seconds < 55) return `about ${count.format(Math.round(seconds / 10) * 10)} seconds`;
  const minutes = Math.max(1, Math.round(seconds / 60));
  if (minutes < 60) return `about ${counted(minutes, 'minute', 'minutes')}`;
  const hours = Math.round((seconds / 3600) * 2) / 2;
  if (hours < 36) return `about ${counted(hours, 'hour', 'hours')}`;
  return `about ${counted(Math.round(seconds / 86400), 'day', 'days')}`;
}

/** A time that has passed, exactly: 1:04 or 2:03:10. */
export function formatElapsed(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const parts = [Math.floor(whole / 3600), Math.floor((whole % 3600) / 60), whole % 60];
  const shown = parts[0] === 0 ? parts.slice(1) : parts;
  return shown.map((part, index) => (index === 0 ? String(part) : String(part).padStart(2, '0'))).join(':');
}

/** A moment: Nov 25, 2026, 2:11 AM. */
export function formatMoment(milliseconds: number): string {
  return date.format(milliseconds);
}

/** A number with its word: 1 layer, 30 layers. */
export function counted(value: number, one: string, many: string): string {
  return `${count.format(value)} ${plural.select(value) === 'one' ? one : many}`;
}

/** The name of a language by its code of ISO 639: German for deu. */
export function languageName(code: string): string {
  return languages.of(code) ?? code;
}

/** A count as people say it where more digits would claim too much: 43,690 as 44,000. */
export function roundedTo2(value: number): number {
  return Number(value.toPrecision(2));
}
