/**
 * Models as they are used for writing text. Each new token multiplies one row with every matrix, which is as quick as
 * the matrix is read, and the runtime reads faster the longer the stretches are in which it lies: those that widen are
 * therefore turned over to [in, out] while they are loaded.
 */
import type { GlobalRole, LayerRole, LinearRole, ModelConfig } from '../model/config';
import type { ModelView } from '../model/view';
import type { OnProgress } from '../support/progress';
import type { Tensor32 } from '../tensors/handle';
import { transposed } from '../tensors/transpose';
import { loadModel, type ExecutableModel, type LoadedModel } from './loaded-model';

/** Linears with more outputs than inputs; the head is another. */
const WIDENING: ReadonlySet<LinearRole> = new Set(['gate', 'up']);

/** A model in memory that can write text and nothing else. */
export interface WritingModel {
  readonly config: ModelConfig;
  /** Its weights, of which the widening linears are [in, out], and so is the matrix of the head, [C, V]. */
  readonly turned: LoadedModel;
}

/** What can write text. */
export type TextModel = ExecutableModel | WritingModel;

/** Reads every weight of a view into memory for writing text: 4 bytes a parameter. */
export async function loadWritingModel(
  view: ModelView,
  options: { readonly signal?: AbortSignal; readonly onProgress?: OnProgress } = {},
): Promise<WritingModel> {
  const { config } = view;
  const head: GlobalRole = config.tied ? 'embedding' : 'head';
  const turn = (isTurned: boolean, tensor: Tensor32): Tensor32 => (isTurned ? transposed(tensor) : tensor);
  const turnedView: ModelView = {
    config,
    readGlobal: async (role) => turn(role === head, await view.readGlobal(role)),
    readLayer: async (layer, role) => turn(isWidening(role), await view.readLayer(layer, role)),
  };
  return { config, turned: await loadModel(turnedView, options) };
}

/** Where a model's weights are, and which of its linears are turned there. */
export function weightsOf(model: TextModel): { readonly weights: ExecutableModel; readonly turned: ReadonlySet<LinearRole> } {
  return 'turned' in model ? { weights: model.turned, turned: WIDENING } : { weights: model, turned: new Set() };
}

function isWidening(role: LayerRole): boolean {
  return [...WIDENING].some((linear) => linear === role);
}
