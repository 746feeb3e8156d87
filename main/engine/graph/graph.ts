/** The graph representation: immutable values with type and shape, and nodes that make them. Knows no file format. */
import type { Dim } from './dims';

export type ElementType = 'float32' | 'float64' | 'float16' | 'int64' | 'int8' | 'bool';

/** One tensor of a graph. Values are made by the builder and by passes, and compared by identity. */
export interface Value {
  /** Unique within everything that one builder made. */
  readonly name: string;
  readonly type: ElementType;
  readonly shape: readonly Dim[];
}

export type Attribute = number | string | readonly Dim[];
export type Attributes = Readonly<Record<string, Attribute>>;

/** One application of an operator of the op table. */
export interface Node {
  readonly op: string;
  readonly inputs: readonly Value[];
  readonly outputs: readonly Value[];
  readonly attributes: Attributes;
}

/** Data known when the graph is made; numbers in row-major order. */
export interface Constant {
  readonly value: Value;
  readonly data: readonly number[];
}

/** Nodes stand in an order in which each comes after those that make its inputs. */
export interface Graph {
  readonly name: string;
  readonly inputs: readonly Value[];
  readonly constants: readonly Constant[];
  readonly nodes: readonly Node[];
  readonly outputs: readonly Value[];
}
