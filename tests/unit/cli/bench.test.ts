/** `shear bench` as a program: both sides are real processes; the peer that plays here is the program itself. */
import { chmod, copyFile, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as v from 'valibot';
import { exampleModel } from '../../../main/engine/jobs/bundled';
import { writeTinyFolder } from '../../support/tiny-model';
import { buildCommandLine, type CommandLine } from '../../support/command-line';

const sideSchema = v.object({
  name: v.string(), tokensPerCpuSecond: v.pipe(v.number(), v.minValue(1)), tokensPerSecond: v.pipe(v.number(), v.minValue(1)),
  peakBytes: v.pipe(v.number(), v.minValue(1e7)), gemmShare: v.pipe(v.number(), v.gtValue(0)), secondsToFirst: v.number(),
  firstLoss: v.nullable(v.number()), rounds: v.array(v.unknown()), bytesReadToFirst: v.number(), bytesRead: v.number(),
});
const resultSchema = v.object({
  way: v.object({ recompute: v.boolean(), microBatch: v.number(), streamed: v.boolean(), peakBytes: v.number() }),
  tokens: v.number(), flops: v.number(), isBusy: v.boolean(), ours: sideSchema, peer: v.nullable(sideSchema),
  ratio: v.nullable(v.object({ tokensPerCpuSecond: v.number(), tokensPerSecond: v.number(), peakBytes: v.number() })),
  gemm: v.object({ shape: v.array(v.number()), flopsPerCpuSecond: v.pipe(v.number(), v.minValue(1e6)) }),
});

let shear: CommandLine;
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'shear-bench-test-'));
  shear = await buildCommandLine();
});
afterAll(async () => {
  await shear.remove();
  await rm(folder, { recursive: true, force: true });
});

function bench(...argv: string[]): Promise<v.InferOutput<typeof resultSchema>> {
  return benchOf(exampleModel(), ...argv);
}

async function benchOf(model: string, ...argv: string[]): Promise<v.InferOutput<typeof resultSchema>> {
  const { status, stdout, stderr } = await shear.run(['bench', ...argv, '--model', model, '--threads', '1', '--json'], { environment: { SHEAR_PEERS: folder, TMPDIR: folder } });
  expect({ status, stderr: stderr.replace(/^.*Measuring\n/gm, '') }).toEqual({ status: 0, stderr: '' });
  return v.parse(resultSchema, JSON.parse(stdout));
}

/** Installs this program in the place of PyTorch's interpreter: it ignores the script and serves the job. */
async function installPeer(command: string): Promise<void> {
  const python = join(folder, 'python', 'bin', 'python');
  await mkdir(dirname(python), { recursive: true });
  await writeFile(python, `#!/bin/sh\n${command}\n`);
  await chmod(python, 0o755);
}

describe('the bench', () => {
  it('measures a training step, and what it takes beside the machine’s peak', async () => {
    const { tokens, ours, peer, ratio, gemm } = await bench('step', '--batch', '2', '--length', '32', '--rounds', '3');
    expect(tokens).toBe(64);
    expect(ours.rounds).toHaveLength(3);
    expect(ours.firstLoss).toBeLessThan(3);
    expect(gemm.shape).toEqual([1024, 64, 172]);
    expect([peer, ratio]).toEqual([null, null]);
  });

  it('keeps to the memory allowed, reading layers from the file if it must, and counts what it reads', async () => {
    const folderOf = join(folder, 'wide');
    // Four layers of 0.66 million parameters.
    await writeTinyFolder(folderOf, { layers: Array.from({ length: 4 }, () => ({ heads: 4, kvHeads: 4, ffn: 512 })), hidden: 256, headDim: 64, vocabulary: 512 }, { type: 'F16' });
    await copyFile(join(exampleModel(), 'tokenizer.json'), join(folderOf, 'tokenizer.json'));
    const run = (...argv: string[]) => benchOf(folderOf, 'step', '--batch', '2', '--length', '32', '--rounds', '1', ...argv);
    const whole = await run();
    expect(whole.way).toMatchObject({ recompute: false, streamed: false });
    expect(whole.ours.bytesRead).toBe(0);
    const least = (await shear.run(['bench', 'step', '--model', folderOf, '--batch', '2', '--length', '32', '--memory', '1MB', '--json'])).stdout;
    const { neededBytes } = v.parse(v.object({ code: v.literal('memory'), details: v.object({ neededBytes: v.number() }) }), JSON.parse(least)).details;
    const streamed = await run('--memory', String(neededBytes));
    expect(streamed.way).toMatchObject({ recompute: true, microBatch: 1, streamed: true, peakBytes: neededBytes });
    expect(streamed.ours.firstLoss ?? 0).toBeCloseTo(whole.ours.firstLoss ?? 1, 4);
    // Each micro-batch goes up and down through four layers, of which the last two of each turn are still there.
    const layerBytes = 2 * (4 * 256 * 256 + 3 * 256 * 512 + 2 * 256);
    expect(streamed.ours.bytesRead).toBe(2 * 4 * layerBytes);
    expect(streamed.ours.bytesReadToFirst).toBeGreaterThan(whole.ours.bytesReadToFirst);
  });

  it('measures the tokens after the first of a text', async () => {
    const { tokens, ours } = await bench('generate', '--length', '9', '--rounds', '1');
    expect(tokens).toBe(8);
    expect(ours.firstLoss).toBeNull();
  });

  it.skipIf(process.platform === 'win32')('takes turns with a peer, which gets the same weights and ids', async () => {
    await installPeer(`exec '${process.execPath}' '${shear.script}' bench forward --json --serve "$2"`);
    const { ours, peer, ratio } = await bench('forward', '--against', 'pytorch', '--batch', '2', '--length', '64', '--rounds', '2');
    expect(peer?.rounds).toHaveLength(2);
    expect(peer?.firstLoss).toBeCloseTo(ours.firstLoss ?? Number.NaN, 10);
    expect(ratio?.tokensPerCpuSecond).toBeCloseTo(ours.tokensPerCpuSecond / (peer?.tokensPerCpuSecond ?? 0), 10);
    expect(ratio?.peakBytes).toBeGreaterThan(0.5);
    expect(ratio?.peakBytes).toBeLessThan(2);
    expect((await readdir(folder)).filter((name) => name.startsWith('shear-bench-'))).toEqual([]);
  });

  it.skipIf(process.platform === 'win32')('tells what a peer said that does not start', async () => {
    await installPeer('echo "No module named peft" >&2; exit 1');
    const { status, stderr } = await shear.run(['bench', 'step', '--against', 'pytorch', '--model', exampleModel(), '--threads', '1'], { environment: { SHEAR_PEERS: folder } });
    expect(status).toBe(1);
    expect(stderr).toContain('PyTorch ended before it answered: No module named peft');
    expect(stderr).toContain('npm run peers');
  });

  it('says how to install a peer that is not there', async () => {
    const { status, stderr } = await shear.run(['bench', 'generate', '--against', 'llama.cpp', '--model', exampleModel()], { environment: { SHEAR_PEERS: join(folder, 'nothing') } });
    expect(status).toBe(3);
    expect(stderr).toMatch(/llama\.cpp is not installed[^]*npm run peers/);
  });

  it('refuses texts longer than the model reads', async () => {
    const { status, stderr } = await shear.run(['bench', 'forward', '--length', '100000', '--model', exampleModel()]);
    expect(status).toBe(2);
    expect(stderr).toContain('Choose a smaller --length');
  });
});
