/** A look at a model for those outside the engine: problems that keep it from being used are an error here. */
import type { Inspection } from '../../../preload/contract/model';
import { inspectCheckpoint, openCheckpoint } from '../model/checkpoint';

/**
 * What a model is, from headers.
 * @throws the error that opening it would raise, when it has problems that keep it from being used.
 */
export async function inspectModel(path: string): Promise<Inspection> {
  const inspection = await inspectCheckpoint(path);
  if (inspection.problems.some((problem) => problem.severity === 'error')) {
    const checkpoint = await openCheckpoint(path);
    await checkpoint.close();
  }
  return inspection;
}
