/**
 * Models of every family that were made narrower are opened by transformers from our folders, and by llama.cpp from our
 * GGUF files where it knows the family, with the logits that we compute. Small random models, float32.
 */
import { execFile } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { copyFile, cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import * as v from 'valibot';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { computeViewLogits } from '../../main/engine/evaluation/view-logits';
import { Executor } from '../../main/engine/execution/executor';
import { writeSafetensorsModel } from '../../main/engine/export/safetensors-model';
import { openCheckpoint } from '../../main/engine/model/checkpoint';
import type { PruningPlan } from '../../main/engine/pruning/plan';
import { slicedView } from '../../main/engine/pruning/sliced-view';
import { findUnitGroups, type UnitGroup } from '../../main/engine/pruning/units';
import { EXAMPLE_MODEL } from '../support/example-model';

const run = promisify(execFile);
const resultSchema = v.object({ positions: v.array(v.array(v.tuple([v.number(), v.number()]))) });
const python = path.join(process.env['SHEAR_PEERS'] ?? '', 'python', 'bin', 'python');
const FAMILIES = path.join(import.meta.dirname, '..', 'golden', 'data', 'families');
/** Both compute in float32 from the same weights; the sums come in another order. */
const TOLERANCE = 1e-4;
const IDS = Array.from({ length: 40 }, (_, at) => (at * 23 + 5) % 61);

/** Every layer without its first channels and, where there are several, its first key/value group; `uneven` spares the first layer. */
function planFor(groups: readonly UnitGroup[], uneven: boolean): PruningPlan {
  return {
    groups: groups.map(({ layer, part, size }) => {
      const gone = uneven && layer === 0 ? 0 : part === 'mlp' ? 7 : 1;
      return { layer, part, size, kept: Array.from({ length: size - gone }, (_, unit) => unit + gone), scores: [], locked: false };
    }),
  };
}

describe.each([false, true])('transformers opens models of all families, widths per layer: %s', (uneven) => {
  let executor: Executor;
  let folder: string;
  beforeAll(async () => {
    executor = await Executor.create({ threads: 1 });
    folder = await mkdtemp(path.join(tmpdir(), 'shear-peers-'));
  });
  afterAll(async () => {
    await executor.dispose();
    await rm(folder, { recursive: true, force: true });
  });

  it.each(readdirSync(FAMILIES))('%s', async (name) => {
    const [from, to] = [path.join(folder, `${name}-source`), path.join(folder, name)];
    await cp(path.join(FAMILIES, name), from, { recursive: true });
    // The script loads a tokenizer too; any will do.
    for (const file of ['tokenizer.json', 'tokenizer_config.json']) await copyFile(path.join(EXAMPLE_MODEL, file), path.join(from, file));
    const source = await openCheckpoint(from);
    const groups = findUnitGroups(source.config);
    const view = slicedView(source, groups, planFor(groups, uneven));
    await writeSafetensorsModel(view, source, to, { dtype: 'F32' });
    const logits = await computeViewLogits(executor, view, IDS);
    await source.close();

    const written = await openCheckpoint(to);
    expect(await computeViewLogits(executor, written, IDS)).toEqual(logits);
    await written.close();
    const [idsPath, outPath] = [path.join(folder, 'ids.json'), path.join(folder, 'peer.json')];
    await writeFile(idsPath, JSON.stringify(IDS));
    await run(python, [path.join(import.meta.dirname, 'transformers-logits.py'), to, idsPath, outPath]);
    const { positions } = v.parse(resultSchema, JSON.parse(await readFile(outPath, 'utf8')));
    let worst = 0;
    positions.forEach((pairs, position) => {
      const row = logits.subarray(position * 61, (position + 1) * 61);
      const top = Math.max(...row);
      const total = top + Math.log(row.reduce((sum, logit) => sum + Math.exp(logit - top), 0));
      for (const [id, share] of pairs) {
        const difference = Math.abs((row[id] ?? Number.NaN) - total - share);
        if (!(difference <= worst)) worst = difference;
      }
    });
    process.stdout.write(`${name}: transformers differs by ${worst.toExponential(1)}\n`);
    expect(worst <= TOLERANCE).toBe(true);
  });
});
