/** Makes graphs: each call appends one node, whose result types come from the op table, and returns its value. */
import { InternalError } from '../support/errors';
import type { Dim } from './dims';
import type { Attributes, Constant, ElementType, Graph, Node, Value } from './graph';
import { opRule } from './ops/table';

export class GraphBuilder {
  private readonly inputs: Value[] = [];
  private readonly constants: Constant[] = [];
  private readonly nodes: Node[] = [];
  private readonly names = new Set<string>();
  private readonly scalars = new Map<string, Value>();

  /** `floatType` is the type of scalars and of inputs that do not say otherwise. */
  constructor(readonly floatType: 'float32' | 'float64' = 'float32') {}

  /** A graph input. */
  input(name: string, shape: readonly Dim[], type: ElementType = this.floatType): Value {
    const value = this.value(name, { type, shape });
    this.inputs.push(value);
    return value;
  }

  /** Data that is part of the graph, row-major. */
  constant(name: string, shape: readonly number[], data: readonly number[], type: ElementType = this.floatType): Value {
    const value = this.value(name, { type, shape });
    this.constants.push({ value, data });
    return value;
  }

  /** A constant of rank 0; equal scalars are made once. */
  scalar(number: number): Value {
    const known = this.scalars.get(String(number));
    if (known !== undefined) return known;
    const value = this.constant(this.unused('scalar'), [], [number]);
    this.scalars.set(String(number), value);
    return value;
  }

  /** Appends a node and returns its first result. `name` names that result. */
  apply(op: string, inputs: readonly Value[], attributes: Attributes = {}, name?: string): Value {
    const [first] = this.applyAll(op, inputs, attributes, name);
    if (first === undefined) throw new InternalError(`${op} has no result.`);
    return first;
  }

  /** As `apply`, returning all results. */
  applyAll(op: string, inputs: readonly Value[], attributes: Attributes = {}, name?: string): readonly Value[] {
    const results = opRule(op).infer(inputs, attributes);
    const outputs = results.map((result, index) =>
      this.value(name !== undefined && index === 0 ? name : this.unused(op.toLowerCase()), result),
    );
    this.nodes.push({ op, inputs, outputs, attributes });
    return outputs;
  }

  add(left: Value, right: Value, name?: string): Value {
    return this.apply('Add', [left, right], {}, name);
  }

  subtract(left: Value, right: Value): Value {
    return this.apply('Sub', [left, right]);
  }

  multiply(left: Value, right: Value, name?: string): Value {
    return this.apply('Mul', [left, right], {}, name);
  }

  divide(left: Value, right: Value): Value {
    return this.apply('Div', [left, right]);
  }

  negate(value: Value): Value {
    return this.apply('Neg', [value]);
  }

  exp(value: Value): Value {
    return this.apply('Exp', [value]);
  }

  sigmoid(value: Value): Value {
    return this.apply('Sigmoid', [value]);
  }

  reciprocal(value: Value): Value {
    return this.apply('Reciprocal', [value]);
  }

  sqrt(value: Value): Value {
    return this.apply('Sqrt', [value]);
  }

  /** Batched matrix product [.., M, K] x [.., K, N]. */
  matmul(left: Value, right: Value): Value {
    return this.apply('MatMul', [left, right]);
  }

  /** `alpha * op(left) . op(right) + added` on matrices, op transposing where asked; `added` broadcasts. */
  gemm(
    left: Value,
    right: Value,
    options: { transposeLeft?: boolean; transposeRight?: boolean; alpha?: number; added?: Value; name?: string } = {},
  ): Value {
    const attributes = {
      transA: options.transposeLeft === true ? 1 : 0,
      transB: options.transposeRight === true ? 1 : 0,
      alpha: options.alpha ?? 1,
    };
    const inputs = options.added === undefined ? [left, right] : [left, right, options.added];
    return this.apply('Gemm', inputs, attributes, options.name);
  }

  reshape(value: Value, shape: readonly Dim[], name?: string): Value {
    return this.apply('Reshape', [value], { shape }, name);
  }

  transpose(value: Value, order: readonly number[], name?: string): Value {
    return this.apply('Transpose', [value], { order }, name);
  }

  /** Sums over axes, keeping them with size 1. */
  reduceSum(value: Value, axes: readonly number[]): Value {
    return this.apply('ReduceSum', [value], { axes });
  }

  /** Means over axes, keeping them with size 1. */
  reduceMean(value: Value, axes: readonly number[]): Value {
    return this.apply('ReduceMean', [value], { axes });
  }

  /** log(sum(exp(x))) over the last axis, kept with size 1. */
  logSumExp(value: Value): Value {
    return this.apply('ReduceLogSumExp', [value], { axes: [value.shape.length - 1] });
  }

  /** Softmax over the last axis. */
  softmax(value: Value): Value {
    return this.apply('Softmax', [value]);
  }

  /** Positions start..end-1 of an axis; `length` says how many these are where that is not known yet. */
  slice(value: Value, axis: number, start: Dim, end: Dim, length?: Dim): Value {
    return this.apply('Slice', [value], { axis, bounds: [start, end], length: length === undefined ? [] : [length] });
  }

  /** Joins along an axis; `total` is the result's size along it. */
  concat(values: readonly Value[], axis: number, total: Dim): Value {
    return this.apply('Concat', values, { axis, total: [total] });
  }

  expand(value: Value, shape: readonly Dim[]): Value {
    return this.apply('Expand', [value], { shape });
  }

  /** The nodes and inputs so far as a graph with these outputs; more may be appended afterwards. */
  build(name: string, outputs: readonly Value[]): Graph {
    return {
      name,
      inputs: [...this.inputs],
      constants: [...this.constants],
      nodes: [...this.nodes],
      outputs,
    };
  }

  private unused(stem: string): string {
    for (let number = this.names.size; ; number++) {
      const name = `${stem}_${number}`;
      if (!this.names.has(name)) return name;
    }
  }

  private value(name: string, type: { type: ElementType; shape: readonly Dim[] }): Value {
    if (this.names.has(name)) throw new InternalError(`The graph already has a value named ${name}.`);
    this.names.add(name);
    return { name, type: type.type, shape: type.shape };
  }
}
