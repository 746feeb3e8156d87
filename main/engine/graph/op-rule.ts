/** What the op table says of each operator: the shapes of its results, its derivative, and how ONNX spells it. */
import type { GraphBuilder } from './builder';
import { multiplyDims, type Dim } from './dims';
import type { Attributes, ElementType, Node, Value } from './graph';

/** Type and shape of one result. */
export interface ResultType {
  readonly type: ElementType;
  readonly shape: readonly Dim[];
}

export interface GradientContext {
  readonly builder: GraphBuilder;
  readonly node: Node;
  /** Gradient of the loss with respect to the node's first result, of that result's shape. */
  readonly outputGradient: Value;
  /** Whether the gradient of an input is wanted; rules skip the work for the others. */
  wants(input: number): boolean;
}

/** Attribute of an ONNX node, with the kind that ONNX wants said. */
export type OnnxAttribute =
  | { readonly kind: 'int'; readonly value: number }
  | { readonly kind: 'float'; readonly value: number }
  | { readonly kind: 'ints'; readonly value: readonly number[] };

/** What a graph can be computed on. */
export type DeviceName = 'cpu' | 'webgpu';

/** Where a rule writes its ONNX nodes. */
export interface Lowering {
  /** What the result will run on, for operators that are missing or wrong there and are composed of others instead. */
  readonly device: DeviceName;
  node(spec: {
    readonly op: string;
    readonly domain?: string;
    readonly inputs: readonly string[];
    readonly outputs: readonly string[];
    readonly attributes?: Readonly<Record<string, OnnxAttribute>>;
  }): void;
  /** A name that nothing else has, for an inner result. */
  fresh(): string;
  /** A constant of rank 0. */
  scalar(type: 'float32' | 'float64' | 'int8' | 'uint8', value: number): string;
  /** An int64 vector constant. */
  int64s(values: readonly number[]): string;
  /** An int64 vector with the value of these dimensions: a constant, or fed by the runtime where symbols occur. */
  shape(dims: readonly Dim[]): string;
}

/** How the axes of a node's values hang together: what removing one position of an axis means for the others. */
export interface AxisRelations {
  /** Position i of one axis belongs to position i of the other. */
  same(left: Value, leftAxis: number, right: Value, rightAxis: number): void;
  /** The axes of both values, read in row-major order, are the same elements cut differently. */
  reshaped(from: Value, to: Value): void;
  /** Positions of this axis cannot be removed one by one: the operator mixes or compares them. */
  mixed(value: Value, axis: number, why: string): void;
  /** Each position of this axis is an independent product of two activations, such as an attention head. */
  independent(value: Value, axis: number): void;
}

/** One operator. Adding an operator is adding one file with its rule. */
export interface OpRule {
  readonly op: string;
  /** Types and shapes of the results. Throws ShapeError on inputs that do not fit. */
  infer(inputs: readonly Value[], attributes: Attributes): readonly ResultType[];
  /** Gradients of the inputs, null where none flows; absent for operators through which no gradient flows. */
  gradient?(context: GradientContext): readonly (Value | null)[];
  /** How axes hang together, for dependency analysis; absent where results and inputs agree axis by axis, broadcasting. */
  relate?(node: Node, relations: AxisRelations): void;
  /**
   * Floating-point operations of a node as products of dimensions that add up: one for each arithmetic operation or
   * function of an element, two for a multiply-add; absent where numbers are only moved.
   */
  cost?(node: Node): readonly Dim[];
  /** True where the result is the first input's memory under another shape. */
  readonly isView?: boolean;
  /** Temporary tensors that the node's ONNX form holds beside its inputs and results. */
  scratch?(node: Node): readonly ResultType[];
  /** Writes the ONNX form; absent where the operator is spelled like ONNX's and has no attributes. */
  lower?(node: Node, lowering: Lowering): void;
}

/** An attribute that must be a number. */
export function numberAttribute(attributes: Attributes, name: string): number {
  const value = attributes[name];
  if (typeof value !== 'number') throw new TypeError(`Attribute ${name} must be a number.`);
  return value;
}

/** An attribute that must be a list of whole numbers. */
export function integersAttribute(attributes: Attributes, name: string): number[] {
  return dimsAttribute(attributes, name).map((value) => {
    if (typeof value !== 'number') throw new TypeError(`Attribute ${name} must hold whole numbers.`);
    return value;
  });
}

/** An attribute that must be a list of dimensions. */
export function dimsAttribute(attributes: Attributes, name: string): readonly Dim[] {
  const value = attributes[name];
  if (value === undefined || typeof value === 'number' || typeof value === 'string') {
    throw new TypeError(`Attribute ${name} must be a list.`);
  }
  return value;
}

export const int = (value: number): OnnxAttribute => ({ kind: 'int', value });
export const float = (value: number): OnnxAttribute => ({ kind: 'float', value });
export const ints = (value: readonly number[]): OnnxAttribute => ({ kind: 'ints', value });

/** Names of a node's values, as rules pass them on. */
export const namesOf = (values: readonly Value[]): string[] => values.map((value) => value.name);

/** The cost of an operator that does `each` operations for every element of its first result. */
export const perElement =
  (each: number) =>
  ({ outputs }: Node): readonly Dim[] => [multiplyDims(each, ...(outputs[0]?.shape ?? []))];
