/** The look at a model's files on which both opening and inspecting rest: everything found, and everything wrong. */
import type { Problem } from '../../../preload/contract/model';
import { openGgufModel } from '../formats/gguf/split';
import type { GgufEntry } from '../formats/gguf/types';
import type { JsonObject } from '../formats/json';
import type { StoredTensor } from '../formats/stored-tensor';
import type { ModelConfig } from './config';
import type { DeclaredModel } from './declared';
import { alignNames } from './align-names';
import { refuseCompressed } from './compressed';
import { readGgufConfig } from './gguf-config';
import { readHuggingfaceConfig } from './huggingface-config';
import { locateModel, type Location } from './locate';
import { matchTensors } from './match-tensors';
import { Problems } from './problems';
import { findSideFiles, readCard, readLicence } from './side-files';
import { openWeightFiles, readFolderJson } from './weight-files';

/** What the files say about the model in their own words. */
export type CheckpointMetadata =
  | { readonly kind: 'huggingface'; readonly config: JsonObject }
  | { readonly kind: 'gguf'; readonly entries: ReadonlyMap<string, GgufEntry> };

/** What was found. `model` is null when errors leave no usable model; its files must be closed all the same. */
export interface Examined {
  readonly location: Location;
  readonly problems: Problems;
  readonly metadata: CheckpointMetadata;
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  /** Real paths of the files that hold weights. */
  readonly weightFiles: readonly string[];
  readonly sideFiles: ReadonlyMap<string, string>;
  readonly licence: string;
  readonly model: { readonly declared: DeclaredModel; readonly config: ModelConfig } | null;
  /** Bytes that have been read from the weight files. */
  bytesRead(): number;
  close(): Promise<void>;
}

/** Looks at headers and small files only. Throws if there is no model at `path`; other faults go to `problems`. */
export async function examineModel(path: string): Promise<Examined> {
  const location = await locateModel(path);
  return location.kind === 'gguf' ? examineGguf(location) : examineFolder(location);
}

async function examineGguf(location: Location): Promise<Examined> {
  const problems = new Problems();
  const nothing = { location, problems, weightFiles: [location.path], sideFiles: new Map<string, string>() };
  const file = await openGgufModel(location.path).catch((error: unknown) => {
    problems.caught(error);
    return null;
  });
  if (file === null) {
    const metadata: CheckpointMetadata = { kind: 'gguf', entries: new Map() };
    return { ...nothing, metadata, tensors: new Map(), licence: 'unknown', model: null, bytesRead: () => 0, close: () => Promise.resolve() };
  }
  try {
    const declared = await readGgufConfig(file, problems);
    const stated = file.metadata.get('general.license');
    return {
      ...nothing,
      metadata: { kind: 'gguf', entries: file.entries },
      weightFiles: file.paths,
      tensors: file.tensors,
      licence: typeof stated === 'string' && stated !== '' ? stated : 'unknown',
      model: await fit(declared, file.tensors, problems, true),
      bytesRead: () => file.bytesRead(),
      close: () => file.close(),
    };
  } catch (error) {
    await file.close();
    throw error;
  }
}

async function examineFolder(location: Location): Promise<Examined> {
  const problems = new Problems();
  const config = await readFolderJson(location.path, 'config.json', problems);
  const generation = await readFolderJson(location.path, 'generation_config.json', problems);
  const declared = config === null ? null : readHuggingfaceConfig(config, generation, problems);
  const sideFiles = await findSideFiles(location.path, problems);
  const weights = await openWeightFiles(location.path, problems);
  const close = async (): Promise<void> => {
    await Promise.all(weights.files.map((file) => file.close()));
  };
  try {
    const isCompressed = refuseCompressed(config, weights.tensors, (await readCard(sideFiles)).base, problems);
    const tensors = declared === null ? weights.tensors : alignNames(declared.names, weights.tensors);
    return {
      location,
      problems,
      metadata: { kind: 'huggingface', config: config ?? {} },
      tensors,
      weightFiles: weights.files.map((file) => file.path),
      sideFiles,
      licence: await readLicence(sideFiles),
      model: isCompressed ? null : await fit(declared, tensors, problems, weights.isComplete),
      bytesRead: () => weights.files.reduce((sum, file) => sum + file.bytesRead(), 0),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Wrong settings or absent files would only make every tensor look wrong, so the tensors are matched without those. */
async function fit(
  declared: DeclaredModel | null,
  tensors: ReadonlyMap<string, StoredTensor>,
  problems: Problems,
  isComplete: boolean,
): Promise<Examined['model']> {
  const causes: readonly Problem['code'][] = ['missing-setting', 'bad-setting'];
  if (declared === null || !isComplete) return null;
  if (problems.errors.some((problem) => causes.includes(problem.code))) return null;
  return { declared, config: await matchTensors(declared, tensors, problems) };
}
