/**
 * Minimal removal structures (LoRAShear, Algorithm 2): from a traced graph to the sets of parameter slices that must
 * go together so that a valid network remains. Knows operators and axes, not models.
 */
import type { Dim } from '../../graph/dims';
import type { Graph, Value } from '../../graph/graph';
import { opRule } from '../../graph/ops/table';
import { AxisMap, type Atom } from './axes';
import { findComposedOperators } from './composed';

/**
 * The part of a parameter that one position of a group owns: along `axis`, which is laid out as [outer, size, inner],
 * position u owns the entries (o * size + u) * inner + i for all o and i.
 */
export interface ParameterSlice {
  /** Name of the graph input. */
  readonly parameter: string;
  readonly axis: number;
  readonly outer: number;
  readonly inner: number;
  /** Whether the axis is the result side of its linear (rows, biases) or the side that consumes another's result. */
  readonly side: 'output' | 'input';
}

/** A node group: `size` minimal structures of one kind, any of which may be removed. */
export interface NodeGroup {
  readonly id: number;
  readonly size: number;
  /** `head`: independent products (key/value groups, query heads). `channel`: positions between two linears. */
  readonly kind: 'head' | 'channel';
  readonly slices: readonly ParameterSlice[];
  /** Names of the values made by operators of this group, composed operators included. */
  readonly members: readonly string[];
  /** Why nothing of it may be removed, or null. */
  readonly unprunable: string | null;
}

/** Finds all node groups. `parameters` are the names of the graph inputs that are weights. */
export function findNodeGroups(graph: Graph, parameters: ReadonlySet<string>): NodeGroup[] {
  const axes = new AxisMap();
  const isParameter = (value: Value): boolean => parameters.has(value.name);
  for (const node of graph.nodes) {
    const rule = opRule(node.op);
    const [result] = node.outputs;
    if (rule.relate !== undefined) rule.relate(node, axes);
    else if (result !== undefined) axes.elementwise(node.inputs, result);
  }
  // A graph's own inputs and outputs keep their shape: whoever calls it relies on it.
  for (const value of [...graph.inputs.filter((input) => !isParameter(input)), ...graph.outputs]) {
    value.shape.forEach((_, axis) => axes.mixed(value, axis, 'it is an input or output of the graph'));
  }
  for (const { inner } of findComposedOperators(graph, isParameter)) {
    const [result] = inner.outputs;
    if (result !== undefined) axes.mixed(result, 1, 'it is the inside of a LoRA module');
  }

  const slices = collectSlices(graph, axes, isParameter);
  const members = collectMembers(graph, axes);
  return [...slices].flatMap(([leaf, owned], id) => {
    if (typeof leaf.size !== 'number' || leaf.size < 2) return [];
    const produced = owned.some((slice) => slice.side === 'output');
    const unprunable = leaf.fixed ?? (produced ? null : 'no linear produces it');
    return [
      { id, size: leaf.size, kind: leaf.independent ? 'head' as const : 'channel' as const, slices: owned, members: members.get(leaf) ?? [], unprunable },
    ];
  });
}

/** Slices of all parameters by the leaf that they belong to. */
function collectSlices(graph: Graph, axes: AxisMap, isParameter: (value: Value) => boolean): Map<Atom, ParameterSlice[]> {
  const sides = outputSides(graph);
  const slices = new Map<Atom, ParameterSlice[]>();
  for (const value of graph.inputs.filter(isParameter)) {
    value.shape.forEach((_, axis) => {
      const leaves = axes.leavesOf(value, axis);
      leaves.forEach((leaf, position) => {
        const owned = slices.get(leaf) ?? [];
        slices.set(leaf, owned);
        owned.push({
          parameter: value.name,
          axis,
          outer: product(leaves.slice(0, position)),
          inner: product(leaves.slice(position + 1)),
          side: sides.get(value) === axis || value.shape.length === 1 ? 'output' : 'input',
        });
      });
    });
  }
  return slices;
}

/** For each matrix that a product uses as its right operand, the axis that becomes the product's columns. */
function outputSides(graph: Graph): Map<Value, number> {
  const sides = new Map<Value, number>();
  for (const node of graph.nodes) {
    const weight = node.inputs[1];
    if (node.op === 'Gemm' && weight !== undefined) sides.set(weight, node.attributes['transB'] === 1 ? 0 : 1);
  }
  return sides;
}

function collectMembers(graph: Graph, axes: AxisMap): Map<Atom, string[]> {
  const members = new Map<Atom, string[]>();
  for (const node of graph.nodes) {
    for (const output of node.outputs) {
      const leaves = new Set(output.shape.flatMap((_, axis) => axes.leavesOf(output, axis)));
      for (const leaf of leaves) {
        const names = members.get(leaf) ?? [];
        members.set(leaf, names);
        names.push(output.name);
      }
    }
  }
  return members;
}

function product(leaves: readonly Atom[]): number {
  return leaves.reduce((total, leaf) => total * numberOf(leaf.size), 1);
}

function numberOf(size: Dim): number {
  return typeof size === 'number' ? size : Number.NaN;
}
