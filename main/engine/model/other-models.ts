/** Refuses models of other kinds than this program works on, by name: mixtures of experts and architectures that are not known. */
import { describeJson } from '../support/describe-value';
import { FAMILIES } from './families/index';
import type { Problems } from './problems';

/** Records that a model is a mixture of experts; `experts` is how many there are in a layer, null if the files do not say. */
export function refuseExperts(name: unknown, experts: number | null, problems: Problems): void {
  problems.error(
    'unsupported-architecture',
    `${describeJson(name)} is a mixture of experts${experts === null ? '' : ` (${experts} of them in a layer)`}: each token uses only some of its parts, and this program cannot make such models smaller.`,
    'Choose a dense model, in which every token uses all weights.',
  );
}

/** Records that `where` names an architecture that is not known, null if it names none; `known` are those of such files. */
export function refuseArchitecture(where: string, name: unknown, known: readonly string[], problems: Problems): void {
  const found = name === null || name === undefined ? `${where} names no architecture; expected one of` : `${where} names the architecture ${describeJson(name)}, which this program does not know; it knows`;
  problems.error('unsupported-architecture', `${found} ${known.join(', ')}.`, `Choose a model of one of these families: ${FAMILIES.map(({ title }) => title).join(', ')}.`);
}
