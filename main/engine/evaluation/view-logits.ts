/**
 * Logits of models of any size: weights are read one layer at a time and given up again, and of the embedding only the
 * rows of the ids are kept, so that memory is that of two layers or of the output head.
 */
import type { Executor } from '../execution/executor';
import { LayerStream } from '../execution/layer-stream';
import type { StreamedModel } from '../execution/loaded-model';
import type { GlobalRole } from '../model/config';
import { globalRoles, type ModelView } from '../model/view';
import { throwIfCancelled } from '../support/progress';
import { decodePlain } from '../tensors/elements';
import type { Tensor32 } from '../tensors/handle';
import { rowBytes } from '../tensors/rows';

/** Logits [T, V] of one sequence of ids under the weights of a view; each weight is read once. Keep T small where V is large. */
export async function computeViewLogits(executor: Executor, view: ModelView, ids: readonly number[], signal?: AbortSignal): Promise<Float32Array> {
  throwIfCancelled(signal);
  const distinct = [...new Set(ids)];
  const places = new Map(distinct.map((id, place) => [id, place]));
  const body = await withGlobals(view, async (role) => {
    if (role === 'head') return null;
    return role === 'embedding' ? readEmbeddings(view, distinct) : view.readGlobal(role);
  });
  const hidden = await executor.forwardBlocks(body, executor.embed(body, ids.map((id) => places.get(id) ?? 0)), { batch: 1, length: ids.length });
  throwIfCancelled(signal);
  const top = await withGlobals(view, async (role) => (role === 'embedding' && !view.config.tied ? null : view.readGlobal(role)));
  return executor.logits(top, hidden);
}

async function withGlobals(view: ModelView, read: (role: GlobalRole) => Promise<Tensor32 | null>): Promise<StreamedModel> {
  const globals = new Map<GlobalRole, Tensor32>();
  for (const role of globalRoles(view.config)) {
    const tensor = await read(role);
    if (tensor !== null) globals.set(role, tensor);
  }
  return { config: view.config, view, source: new LayerStream(view), globals };
}

/** The embeddings of some ids, [N, C], in their order. */
async function readEmbeddings(view: ModelView, ids: readonly number[]): Promise<Tensor32> {
  const { hidden } = view.config;
  const data = new Float32Array(ids.length * hidden);
  const rows = view.globalRows?.('embedding') ?? null;
  if (rows === null) {
    const table = await view.readGlobal('embedding');
    ids.forEach((id, place) => data.set(table.data.subarray(id * hidden, (id + 1) * hidden), place * hidden));
  } else {
    const row = new Uint8Array(rowBytes(rows));
    for (const [place, id] of ids.entries()) {
      rows.readInto(row, id);
      decodePlain(rows.type, row, data, place * hidden);
    }
  }
  return { shape: [ids.length, hidden], data };
}
