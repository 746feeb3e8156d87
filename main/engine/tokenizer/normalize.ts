/** What happens to a text before it is cut into pieces: the normalizer part of a tokenizer, as one function. */
import { Charsmap } from './charsmap';
import { compilePattern, compileTexts } from './patterns';
import type { NormalizerStep } from './spec';

/** A text made ready for a tokenizer. */
export type Normalize = (text: string) => string;

/** One function for the steps in their order. Raises UnsupportedError or FormatError when a step cannot be run. */
export function compileNormalizer(steps: readonly NormalizerStep[]): Normalize {
  const functions = steps.map(compileNormalizerStep);
  return (text) => functions.reduce((soFar, apply) => apply(soFar), text);
}

function compileNormalizerStep(step: NormalizerStep): Normalize {
  switch (step.type) {
    case 'unicode':
      return (text) => text.normalize(step.form);
    case 'lowercase':
      return (text) => text.toLowerCase();
    case 'strip':
      return (text) => {
        const left = step.left ? text.replace(/^\p{White_Space}+/u, '') : text;
        return step.right ? left.replace(/\p{White_Space}+$/u, '') : left;
      };
    case 'prepend':
      return (text) => (text === '' ? text : step.text + text);
    case 'replace': {
      const pattern = compilePattern(step.pattern);
      // A function, for `$` has a meaning in replacement strings.
      return (text) => text.replace(pattern, () => step.content);
    }
    case 'extraSpaces':
      return (text) => removeExtraSpaces(text, step.mark);
    case 'charsmap': {
      const charsmap = new Charsmap(step.charsmap);
      const longestFirst = [...step.kept].sort((a, b) => b.length - a.length);
      const kept = longestFirst.length === 0 ? null : compileTexts(longestFirst);
      return (text) => charsmap.normalize(text, step.matching, kept);
    }
  }
}

/** Not by an expression that looks for spaces up to the end: on long runs of spaces that would take quadratic time. */
function removeExtraSpaces(text: string, mark: string): string {
  let end = text.length;
  while (end > 0 && (text[end - 1] === ' ' || text[end - 1] === mark)) end--;
  return text.slice(0, end).replace(/^ +/, '').replace(/ {2,}/g, ' ');
}
