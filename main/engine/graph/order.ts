/**
 * The order in which nodes are written, so that the runtime works in about the order in which they were appended.
 *
 * ONNX Runtime does not keep the order of a model: from each node without successors, the last written first, it
 * walks back depth-first, of several inputs always to the last written first, and executes what it meets on return.
 * Written as appended, a backward pass would then put off all weight gradients to the end, holding everything that
 * they need until then.
 */
import type { Graph, Node, Value } from './graph';

/** A topological order in which, of the nodes that could come next, always the last appended comes first. */
export function writingOrder(graph: Graph): Node[] {
  const makers = makersOf(graph.nodes);
  const waitsFor = new Map(graph.nodes.map((node) => [node, predecessors(node, makers).length]));
  const followers = new Map<Node, Node[]>(graph.nodes.map((node) => [node, []]));
  for (const node of graph.nodes) for (const before of predecessors(node, makers)) followers.get(before)?.push(node);
  const position = new Map(graph.nodes.map((node, index) => [node, index]));
  const ready = graph.nodes.filter((node) => waitsFor.get(node) === 0);
  const written: Node[] = [];
  for (let node = takeLast(ready, position); node !== undefined; node = takeLast(ready, position)) {
    written.push(node);
    for (const follower of followers.get(node) ?? []) {
      const left = (waitsFor.get(follower) ?? 0) - 1;
      waitsFor.set(follower, left);
      if (left === 0) ready.push(follower);
    }
  }
  return written;
}

/** The order in which the runtime executes a graph that was written in `writingOrder`. */
export function executionOrder(graph: Graph): Node[] {
  const written = writingOrder(graph);
  const position = new Map(written.map((node, index) => [node, index]));
  const makers = makersOf(written);
  const used = new Set(written.flatMap((node) => predecessors(node, makers)));
  const lastFirst = (nodes: readonly Node[]): Node[] => [...nodes].sort((a, b) => (position.get(b) ?? 0) - (position.get(a) ?? 0));
  const visited = new Set<Node>();
  const executed: Node[] = [];
  const visit = (node: Node): void => {
    if (visited.has(node)) return;
    visited.add(node);
    lastFirst(predecessors(node, makers)).forEach(visit);
    executed.push(node);
  };
  lastFirst(written.filter((node) => !used.has(node))).forEach(visit);
  return executed;
}

function makersOf(nodes: readonly Node[]): Map<Value, Node> {
  return new Map(nodes.flatMap((node) => node.outputs.map((output) => [output, node] as const)));
}

/** The nodes that make a node's inputs, each once. */
function predecessors(node: Node, makers: ReadonlyMap<Value, Node>): Node[] {
  return [...new Set(node.inputs.flatMap((input) => makers.get(input) ?? []))];
}

/** Takes the node that was appended last out of a list. */
function takeLast(nodes: Node[], position: ReadonlyMap<Node, number>): Node | undefined {
  let best = -1;
  nodes.forEach((node, index) => {
    const other = nodes[best];
    if (other === undefined || (position.get(node) ?? 0) > (position.get(other) ?? 0)) best = index;
  });
  return best < 0 ? undefined : nodes.splice(best, 1)[0];
}
