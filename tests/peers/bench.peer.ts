/** The bench beside the real peers, on the example: both sides do the same work, which is what makes their speeds comparable. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import * as v from 'valibot';
import { EXAMPLE_MODEL } from '../support/example-model';
import { buildCommandLine, type CommandLine } from '../support/command-line';

const sideSchema = v.object({ firstLoss: v.nullable(v.number()) });
const resultSchema = v.object({ ours: sideSchema, peer: sideSchema, sameIds: v.nullable(v.object({ same: v.number(), of: v.number() })) });

let shear: CommandLine;
beforeAll(async () => {
  shear = await buildCommandLine();
});
afterAll(() => shear.remove());

async function bench(...argv: string[]): Promise<v.InferOutput<typeof resultSchema>> {
  const { stdout, stderr } = await shear.run(['bench', ...argv, '--model', EXAMPLE_MODEL, '--rounds', '1', '--json']);
  process.stdout.write(stdout);
  return v.parse(resultSchema, JSON.parse(stdout), { message: `${stdout}${stderr}` });
}

it.each(['step', 'forward'])('%s: the first loss is PyTorch’s', async (work) => {
  const { ours, peer } = await bench(work, '--against', 'pytorch', '--batch', '2', '--length', '64');
  expect(ours.firstLoss).toBeCloseTo(peer.firstLoss ?? Number.NaN, 5);
});

it('generate: the text is llama.cpp’s', async () => {
  const { sameIds } = await bench('generate', '--against', 'llama.cpp', '--length', '24');
  expect(sameIds).toEqual({ same: 24, of: 24 });
});
