/**
 * Dimensions of graph values: whole numbers, or products of named symbols such as `2*B*T` whose value is known only
 * when the graph runs. Kept as canonical strings, so that equal dimensions are equal values.
 */
import { ShapeError } from '../support/errors';

/** A whole number, or a canonical product: an optional integer factor, then symbols in alphabetical order. */
export type Dim = number | string;

interface Product {
  readonly factor: number;
  readonly symbols: readonly string[];
}

function parse(dim: Dim): Product {
  if (typeof dim === 'number') return { factor: dim, symbols: [] };
  let factor = 1;
  const symbols: string[] = [];
  for (const part of dim.split('*')) {
    const number = Number(part);
    if (Number.isInteger(number)) factor *= number;
    else symbols.push(part);
  }
  return { factor, symbols };
}

function isProduct(dim: Dim): boolean {
  return typeof dim === 'string' && dim.includes('*');
}

function print(product: Product): Dim {
  if (product.symbols.length === 0 || product.factor === 0) return product.factor;
  const symbols = [...product.symbols].sort();
  return (product.factor === 1 ? symbols : [String(product.factor), ...symbols]).join('*');
}

/** The product of dimensions; of none, 1. */
export function multiplyDims(...dims: readonly Dim[]): Dim {
  const parts = dims.map(parse);
  return print({
    factor: parts.reduce((product, part) => product * part.factor, 1),
    symbols: parts.flatMap((part) => part.symbols),
  });
}

/** The exact quotient of two dimensions, or null if it is no dimension. */
export function divideDim(dividend: Dim, divisor: Dim): Dim | null {
  const top = parse(dividend);
  const bottom = parse(divisor);
  if (bottom.factor === 0 || top.factor % bottom.factor !== 0) return null;
  const symbols = [...top.symbols];
  for (const symbol of bottom.symbols) {
    const index = symbols.indexOf(symbol);
    if (index < 0) return null;
    symbols.splice(index, 1);
  }
  return print({ factor: top.factor / bottom.factor, symbols });
}

/** The value of a dimension once its symbols are bound. Throws ShapeError on an unbound symbol. */
export function evaluateDim(dim: Dim, bindings: ReadonlyMap<string, number>): number {
  const known = typeof dim === 'number' ? dim : bindings.get(dim);
  if (known !== undefined) return known;
  const { factor, symbols } = parse(dim);
  return symbols.reduce((product, symbol) => {
    const value = bindings.get(symbol);
    if (value === undefined) {
      throw new ShapeError(`The dimension ${dim} needs ${symbol}, which no input of the graph tells.`, {
        details: { symbol },
      });
    }
    return product * value;
  }, factor);
}

/**
 * Binds the symbols of declared shapes to actual sizes. A product with one unknown symbol is solved by division.
 * Throws ShapeError, naming the tensor, where an actual size contradicts what is known.
 */
export function bindDims(
  shapes: readonly { readonly name: string; readonly declared: readonly Dim[]; readonly actual: readonly number[] }[],
): Map<string, number> {
  const bindings = new Map<string, number>();
  let open: { readonly shape: (typeof shapes)[number]; readonly product: Product; readonly size: number }[] = [];
  for (const shape of shapes) {
    if (shape.declared.length !== shape.actual.length) throw mismatch(shape.name, shape.declared, shape.actual);
    shape.declared.forEach((dim, axis) => {
      const size = shape.actual[axis] ?? 0;
      // Numbers and single symbols first and without parsing: this runs for every layer of every token.
      const known = typeof dim === 'number' ? dim : bindings.get(dim);
      if (known === undefined && isProduct(dim)) open.push({ shape, product: parse(dim), size });
      else if (known === undefined) bindings.set(String(dim), size);
      else if (known !== size) throw mismatch(shape.name, shape.declared, shape.actual);
    });
  }
  for (;;) {
    const rest: typeof open = [];
    for (const entry of open) {
      const unknown = entry.product.symbols.filter((symbol) => !bindings.has(symbol));
      const known = entry.product.symbols
        .filter((symbol) => bindings.has(symbol))
        .reduce((product, symbol) => product * (bindings.get(symbol) ?? 1), entry.product.factor);
      const [symbol] = unknown;
      if (symbol === undefined) {
        if (known !== entry.size) throw mismatch(entry.shape.name, entry.shape.declared, entry.shape.actual);
      } else if (unknown.length === 1 && known !== 0) {
        if (entry.size % known !== 0) throw mismatch(entry.shape.name, entry.shape.declared, entry.shape.actual);
        bindings.set(symbol, entry.size / known);
      } else {
        rest.push(entry);
      }
    }
    if (rest.length === open.length) return bindings;
    open = rest;
  }
}

function mismatch(name: string, declared: readonly Dim[], actual: readonly number[]): ShapeError {
  return new ShapeError(`The tensor ${name} has shape [${actual.join(', ')}], expected [${declared.join(', ')}].`, {
    details: { tensor: name, expected: declared.map(String), actual: actual.map(String) },
  });
}
