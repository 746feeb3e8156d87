/** The bundled example model, loaded for numeric tests. */
import path from 'node:path';
import { loadModel, type LoadedModel } from '../../main/engine/execution/loaded-model';
import { openCheckpoint } from '../../main/engine/model/checkpoint';

export const EXAMPLE_MODEL = path.join(import.meta.dirname, '..', '..', 'resources', 'example', 'stories260K');

export async function loadExample(): Promise<LoadedModel> {
  const checkpoint = await openCheckpoint(EXAMPLE_MODEL);
  try {
    return await loadModel(checkpoint);
  } finally {
    await checkpoint.close();
  }
}
