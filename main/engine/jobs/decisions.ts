/** What a run decided by measuring time or free memory: kept in its folder, so that it is the same when the run is continued. */
import * as v from 'valibot';
import type { Stage } from '../../../preload/contract/run';
import type { RunFolder } from './run-folder';
import type { RunContext } from './step';

const DECISIONS_FILE = 'decisions.json';
const decisionsSchema = v.record(v.string(), v.unknown());

/** `RunContext.once` of one stage. A decision that cannot be read, as after a change of the program, is made anew. */
export function decisionsOf(folder: RunFolder, stage: Stage): RunContext['once'] {
  return async (name, schema, decide) => {
    const known = folder.has(DECISIONS_FILE) ? await folder.readJson(DECISIONS_FILE, decisionsSchema) : {};
    const key = `${stage}: ${name}`;
    const before = v.safeParse(schema, known[key]);
    if (Object.hasOwn(known, key) && before.success) return before.output;
    const decided = await decide();
    await folder.writeJson(DECISIONS_FILE, { ...known, [key]: decided });
    return decided;
  };
}
