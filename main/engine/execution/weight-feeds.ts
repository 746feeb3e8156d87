/** Where block and head graphs get a model's weights from: our memory at each run, or copies that stay on the device. */
import type { Graph } from '../graph/graph';
import type { GlobalRole, LayerRole, LayerShape } from '../model/config';
import { float32, type Feed, type SessionOptions } from '../runtime/session';
import { chooseWeightKeeping } from '../runtime/weight-keeping';
import { globalTensor, readLayer, type ExecutableModel } from './loaded-model';
import { ResidentWeights } from './resident-weights';

/** One layer's weights as a graph is given them. */
export interface LayerFeeds {
  readonly shape: LayerShape;
  readonly tensors: ReadonlyMap<LayerRole, Feed>;
}

/** Who gives weights. Whoever opens it disposes it. */
export interface WeightFeeds {
  /** Whether results that only the device needs should stay there as well. */
  readonly isResident: boolean;
  /** A graph with inputs named by role, changed to what `layer` and `global` give. */
  adapt(graph: Graph): Graph;
  layer(model: ExecutableModel, index: number): Promise<LayerFeeds>;
  global(model: ExecutableModel, role: GlobalRole): Promise<Feed>;
  /** Must be told when weights of a layer were changed in place. */
  changed(model: ExecutableModel, index: number): void;
  dispose(): Promise<void>;
}

/** The one place that decides where weights live: as the options say, or as their device likes it best. */
export async function openWeightFeeds(options: SessionOptions): Promise<WeightFeeds> {
  const keeping = await chooseWeightKeeping(options);
  return keeping === 'host' ? hostWeights : new ResidentWeights(options, keeping);
}

/** Weights from our memory, without a copy. */
const hostWeights: WeightFeeds = {
  isResident: false,
  adapt: (graph) => graph,
  async layer(model, index) {
    const { shape, tensors } = await readLayer(model, index);
    return { shape, tensors: new Map([...tensors].map(([role, tensor]) => [role, float32(tensor.data, tensor.shape)])) };
  },
  global(model, role) {
    const { data, shape } = globalTensor(model, role);
    return Promise.resolve(float32(data, shape));
  },
  changed: () => undefined,
  dispose: () => Promise.resolve(),
};
