/**
 * Fits a declared model to the tensors that are really there: every missing, misshapen and left-over tensor is
 * reported, and what only content can decide (tied head, biases) is decided from content.
 */
import type { StoredTensor } from '../formats/stored-tensor';
import { describeShape, sameShape } from '../tensors/shape';
import { LINEAR_ROLES, linearRoles, type LinearRole, type ModelConfig } from './config';
import type { DeclaredModel } from './declared';
import { globalName } from './families/index';
import { listNames, type Problems } from './problems';
import { storedName, storedWeights } from './stored-weights';

export { globalWeightShape, layerWeightShape } from './config';

const OTHER_MODEL =
  'The configuration and the weights belong to different models, or the download is incomplete: get config.json and the weights again from the page of the model, all from one place.';

/** Buffers that old programs saved beside the weights; they are computed, not learned. */
const IGNORED_NAMES = /rotary_emb\.inv_freq$|\.(attn|attention)\.(masked_)?bias$/;

/** Whether a tensor by its name is such a buffer. */
export function isIgnoredName(name: string): boolean {
  return IGNORED_NAMES.test(name);
}

/** The resolved configuration. Tensor data is read only to compare a head with the embedding it is said to equal. */
export async function matchTensors(
  declared: DeclaredModel,
  tensors: ReadonlyMap<string, StoredTensor>,
  problems: Problems,
): Promise<ModelConfig> {
  const config: ModelConfig = {
    family: declared.family.name,
    design: declared.design,
    vocabulary: declared.vocabulary,
    hidden: declared.hidden,
    headDim: declared.headDim,
    layers: declared.layers,
    rmsEpsilon: declared.rmsEpsilon,
    rope: declared.rope,
    tied: await decideTied(declared, tensors, problems),
    biases: decideBiases(declared, tensors, problems),
    maxPositions: declared.maxPositions,
    bosId: declared.bosId,
    eosIds: declared.eosIds,
  };
  checkPresence(config, declared, tensors, problems);
  return config;
}

function checkPresence(
  config: ModelConfig,
  declared: DeclaredModel,
  tensors: ReadonlyMap<string, StoredTensor>,
  problems: Problems,
): void {
  const expected = new Map<string, readonly number[]>();
  for (const { name, shape } of storedWeights(config, declared.names)) expected.set(name, shape);
  const missing: string[] = [];
  const misshapen: string[] = [];
  const whole: string[] = [];
  for (const [name, shape] of expected) {
    const tensor = tensors.get(name);
    if (tensor === undefined) missing.push(name);
    else if (/^([IU]\d|BOOL)/.test(tensor.storedType)) whole.push(`${name} (${tensor.storedType})`);
    else if (!sameShape(tensor.shape, shape)) {
      misshapen.push(`${name} is ${describeShape(tensor.shape)} instead of ${describeShape(shape)}`);
    }
  }
  const accounted = new Set([...declared.accountedFor, globalName(declared.names, 'head')]);
  const extra = [...tensors.keys()].filter(
    (name) => !expected.has(name) && !accounted.has(name) && !isIgnoredName(name),
  );
  if (missing.length > 0) {
    problems.error(
      'missing-tensor',
      `${missing.length} of the ${expected.size} tensors that the configuration asks for are missing: ${listNames(missing)}.`,
      OTHER_MODEL,
    );
  }
  if (misshapen.length > 0) {
    problems.error(
      'wrong-shape',
      `${misshapen.length} tensors do not have the shape that the configuration asks for: ${listNames(misshapen)}.`,
      OTHER_MODEL,
    );
  }
  if (whole.length > 0) {
    problems.error(
      'unsupported-quantization',
      `${whole.length} weights are stored as whole numbers, which without their scales mean nothing: ${listNames(whole)}.`,
      'Get the original model instead, whose weights are in BF16, F16 or F32.',
    );
  }
  if (extra.length > 0) {
    problems.warn(
      'extra-tensor',
      `${extra.length} tensors have no use in this kind of model and are left out: ${listNames(extra)}.`,
    );
  }
}

/** Tied if there is no head, or if the head equals the embedding; the content wins over what the file says. */
async function decideTied(
  declared: DeclaredModel,
  tensors: ReadonlyMap<string, StoredTensor>,
  problems: Problems,
): Promise<boolean> {
  const head = tensors.get(globalName(declared.names, 'head'));
  if (head === undefined) {
    if (declared.tied === false) {
      problems.warn(
        'tied-head',
        'The configuration says that the model has an output head of its own, but the file holds none; the embedding serves as head.',
      );
    }
    return true;
  }
  if (declared.tied !== true) return false;
  const embedding = tensors.get(globalName(declared.names, 'embedding'));
  if (embedding === undefined || (await haveEqualBytes(head, embedding))) return true;
  problems.warn(
    'tied-head',
    'The configuration says that the output head is the embedding, but the file holds a different head; the one in the file is used.',
  );
  return false;
}

const COMPARED_BYTES = 4 * 1024 * 1024;

/** Different heads differ early, so only equal ones are read to the end. */
async function haveEqualBytes(left: StoredTensor, right: StoredTensor): Promise<boolean> {
  if (left.storedType !== right.storedType || !sameShape(left.shape, right.shape)) return false;
  for (let start = 0; start < left.sizeBytes; start += COMPARED_BYTES) {
    const length = Math.min(COMPARED_BYTES, left.sizeBytes - start);
    const piece = Buffer.from(await left.readBytes(start, length));
    if (!piece.equals(await right.readBytes(start, length))) return false;
  }
  return true;
}

/** A linear has a bias if any layer stores one; layers that then lack it are reported as missing tensors. */
function decideBiases(
  declared: DeclaredModel,
  tensors: ReadonlyMap<string, StoredTensor>,
  problems: Problems,
): ReadonlySet<LinearRole> {
  const isStored = (role: LinearRole): boolean =>
    declared.layers.some((_, layer) => tensors.has(storedName(declared.names, layer, `${role}.bias`) ?? ''));
  const stored = new Set(linearRoles(declared).filter(isStored));
  const said = declared.biases;
  if (said === null) return stored;
  const fixed = declared.family.huggingface.fixedBiases;
  const unstored = LINEAR_ROLES.filter((role) => said.has(role) && !stored.has(role) && !fixed.includes(role));
  const unsaid = LINEAR_ROLES.filter((role) => stored.has(role) && !said.has(role));
  if (unstored.length > 0) {
    problems.warn('biases', `The configuration announces biases for ${unstored.join(', ')} that the file does not hold; they count as absent.`);
  }
  if (unsaid.length > 0) {
    problems.warn('biases', `The file holds biases for ${unsaid.join(', ')} that the configuration does not announce; they are used.`);
  }
  return new Set(LINEAR_ROLES.filter((role) => stored.has(role) || fixed.includes(role)));
}
