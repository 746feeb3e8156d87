/** The whole job from the command line on the bundled model: two minutes at most, verified files, the same from the same seed. */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { main } from '../../main/cli/main';
import { exampleModel, starterTexts } from '../../main/engine/jobs/bundled';
import { openCheckpoint } from '../../main/engine/model/checkpoint';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'shear-job-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

async function shear(argv: readonly string[], options: { signal?: AbortSignal; onError?: (text: string) => void } = {}): Promise<{ status: number; stdout: string }> {
  let stdout = '';
  const status = await main(argv, {
    stdout: { write: (text) => { stdout += text; } },
    stderr: { write: (text) => options.onError?.(text) },
    cwd: folder, environment: { SHEAR_RUNS_FOLDER: join(folder, 'runs') }, signal: options.signal ?? new AbortController().signal,
  });
  return { status, stdout };
}

async function quickly(out: string, ...more: string[]): Promise<string[]> {
  const [text] = await starterTexts();
  return ['compress', exampleModel(), '--out', out, '--ratio', '0.2', '--data', text?.path ?? '', '--budget-tokens', '4096', '--json', ...more];
}

describe('the example', () => {
  it('takes less than two minutes and ends with a report and models that open', { timeout: 300_000 }, async () => {
    const shown: string[] = [];
    const started = performance.now();
    const { status, stdout } = await shear(['example'], { onError: (text) => shown.push(text) });
    expect(status).toBe(0);
    expect((performance.now() - started) / 1000).toBeLessThan(120);
    expect(stdout).toContain('./shear-example/report.html');
    expect(stdout).toContain('./shear-example/model');
    expect(stdout).toContain('its answers agree with the model that was made');
    expect(shown.join('')).toMatch(/left\n/);

    const report = await readFile(join(folder, 'shear-example', 'report.html'), 'utf8');
    expect(report.match(/<svg/g)).toHaveLength(4);
    const card = await readFile(join(folder, 'shear-example', 'model', 'README.md'), 'utf8');
    expect(card).toMatch(/^---\nbase_model: stories260K\nlicense: mit\n/);

    const gguf = (await readdir(join(folder, 'shear-example'))).find((name) => name.endsWith('.gguf')) ?? '';
    const [model, file] = [join(folder, 'shear-example', 'model'), join(folder, 'shear-example', gguf)];
    expect((await shear(['verify', model, '--against', file])).status).toBe(0);
    expect((await shear(['verify', model, '--against', exampleModel()])).status).toBe(5);
    const checkpoint = await openCheckpoint(file);
    expect(checkpoint.config.layers.every((layer) => layer.ffn === 113 && layer.kvHeads === 4)).toBe(true);
    await checkpoint.close();

    const runs = JSON.parse((await shear(['runs', '--json'])).stdout) as { runs: { state: string; result: { perplexities: { pruned: number; recovered: number }[] } }[] };
    expect(runs.runs).toHaveLength(1);
    expect(runs.runs[0]?.state).toBe('done');
    for (const row of runs.runs[0]?.result.perplexities ?? []) expect(row.recovered).toBeLessThan(row.pruned);
  });
});

describe('compress', () => {
  it('prints one JSON object with the promised fields, and gives the same model from the same seed', async () => {
    const first = await shear(await quickly('first', '--seed', '3'));
    expect(first.status).toBe(0);
    const told = JSON.parse(first.stdout) as Record<string, unknown>;
    expect(Object.keys(told)).toEqual(expect.arrayContaining(['run', 'removedFraction', 'parameters', 'perplexity', 'out', 'seconds', 'peakBytes']));
    expect(told['out']).toBe(join(folder, 'first'));
    // The example has five layers of 4 key/value groups and 172 channels; the table of the plan explains each.
    const table = (await readFile(join(folder, 'first', 'plan.csv'), 'utf8')).split('\r\n').slice(1, -1).map((line) => line.split(','));
    expect(table).toHaveLength(5 * (4 + 172));
    expect(table.filter(([, part, , kept]) => part === 'mlp' && kept === 'yes')).toHaveLength(5 * 125);
    expect(table.every((cells) => Number(cells[4]) > 0 && cells.at(-1) !== '')).toBe(true);
    expect(await readFile(join(folder, 'runs', String(told['run']), 'plan.csv'))).toEqual(await readFile(join(folder, 'first', 'plan.csv')));
    expect((await shear(await quickly('second', '--seed', '3'))).status).toBe(0);
    const hash = async (out: string): Promise<string> => createHash('sha256').update(await readFile(join(folder, out, 'model', 'model.safetensors'))).digest('hex');
    expect(await hash('second')).toBe(await hash('first'));
  });

  it('keeps below a size in bytes, with a width for each layer', async () => {
    const [text] = await starterTexts();
    const { status, stdout } = await shear(['compress', exampleModel(), '--out', 'small', '--target-bytes', '420000', '--mode', 'quality', '--format', 'gguf', '--format', 'safetensors', '--data', text?.path ?? '', '--budget-tokens', '2048', '--json']);
    expect(status).toBe(0);
    expect((JSON.parse(stdout) as { bytes: { after: number } }).bytes.after).toBeLessThanOrEqual(420_000);
    expect((await shear(['verify', 'small/model'])).status).toBe(0);
  });

  it('stopped by Ctrl-C leaves nothing where the result was to be, and --resume finishes it', async () => {
    const controller = new AbortController();
    const stopped = await shear(await quickly('out'), { signal: controller.signal, onError: (text) => { if (text.includes('Recovering')) controller.abort('cancel'); } });
    expect(stopped.status).toBe(130);
    expect(JSON.parse(stopped.stdout)).toMatchObject({ code: 'cancelled' });
    expect((await readdir(folder)).sort()).toEqual(['runs']);
    const finished = await shear(await quickly('out', '--resume'));
    expect(finished.status).toBe(0);
    expect(existsSync(join(folder, 'out', 'report.html'))).toBe(true);
    expect(await readdir(join(folder, 'runs'))).toHaveLength(1);
  });

  it('runs a recipe again from the file that the run kept, to the same model', async () => {
    const first = JSON.parse((await shear(await quickly('first'))).stdout) as { run: string };
    const again = await shear(['compress', '--recipe', join('runs', first.run, 'recipe.json'), '--out', 'again', '--json']);
    expect(again.status).toBe(0);
    const weights = (out: string): Promise<Buffer> => readFile(join(folder, out, 'model', 'model.safetensors'));
    expect((await weights('again')).equals(await weights('first'))).toBe(true);
  }, 180_000);
});
