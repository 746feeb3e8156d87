/** Recovery taught by the full model and in several trainings one after another, from the command line on the bundled model. */
import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { main } from '../../main/cli/main';
import { exampleModel, starterTexts } from '../../main/engine/jobs/bundled';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'shear-recovery-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

interface Event {
  readonly type: string;
  readonly stage?: string;
  readonly step?: number;
  readonly loss?: number;
}

async function compress(name: string, recovery: Record<string, number>): Promise<{ losses: Event[]; left: string[]; perplexity: { pruned: number; recovered: number } }> {
  const [text] = await starterTexts();
  const recipe = join(folder, `${name}.json`);
  await writeFile(recipe, JSON.stringify({
    model: exampleModel(), out: join(folder, name), size: { kind: 'ratio', ratio: 0.3 }, budgetTokens: 16_384, seed: 1, recovery,
    sources: [{ kind: 'text', path: text?.path, name: 'text' }], training: { length: 128, batch: 4 },
  }));
  let stdout = '';
  const status = await main(['compress', '--recipe', recipe, '--json'], {
    stdout: { write: (written) => { stdout += written; } }, stderr: { write: () => undefined },
    cwd: folder, environment: { SHEAR_RUNS_FOLDER: join(folder, 'runs') }, signal: new AbortController().signal,
  });
  expect(status, stdout).toBe(0);
  const told = JSON.parse(stdout) as { run: string; perplexity: Record<string, { pruned: number; recovered: number }> };
  const run = join(folder, 'runs', told.run);
  const events = (await readFile(join(run, 'events.jsonl'), 'utf8')).trim().split('\n').map((line) => JSON.parse(line) as Event);
  const [perplexity] = Object.values(told.perplexity);
  if (perplexity === undefined) throw new Error('No perplexity was told.');
  return { losses: events.filter(({ type, stage }) => type === 'loss' && stage === 'recover'), left: await readdir(run), perplexity };
}

describe('recovery', () => {
  it('learns from the full model in three trainings, counts their steps as one course, and leaves nothing of them', { timeout: 120_000 }, async () => {
    const plain = await compress('plain', {});
    const taught = await compress('taught', { distillation: 0.5, links: 3 });
    // 32 steps: 2 of warm-up, 8 of pruning, the rest of recovery.
    expect(taught.losses.map(({ step }) => step)).toEqual(Array.from({ length: 22 }, (_, index) => index + 1));
    expect(plain.losses.map(({ step }) => step)).toEqual(taught.losses.map(({ step }) => step));
    for (const { perplexity } of [plain, taught]) expect(perplexity.recovered).toBeLessThan(perplexity.pruned);
    expect(taught.perplexity.pruned).toBe(plain.perplexity.pruned);
    expect(taught.perplexity.recovered).not.toBe(plain.perplexity.recovered);
    for (const { left } of [plain, taught]) expect(left.filter((name) => /^(adapted|kept|link|working|sliced)/.test(name))).toEqual([]);
  });
});
