/** Disks that are really full, before a run and in the middle of one: said in words, nothing half-written, and the run goes on. */
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { exampleModel, starterTexts } from '../../main/engine/jobs/bundled';
import { buildCommandLine, type CommandLine, type Ended } from '../support/command-line';
import { makeSmallDisk, type SmallDisk } from '../support/small-disk';

const MEGABYTE = 1 << 20;
const WAY_OUT = 'Free some space, or choose a folder on another disk.';
/** What `SmallDisk.fill` leaves behind. */
const FILLER = 'somebody-elses-file';

let folder: string;
let disk: SmallDisk;
let commandLine: CommandLine;

beforeAll(async () => {
  commandLine = await buildCommandLine();
}, 60_000);
afterAll(async () => {
  await commandLine.remove();
});
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'shear-full-'));
});
afterEach(async () => {
  await disk.close();
  await rm(folder, { recursive: true, force: true });
});

/** A call on the small disk. `fillAt`: words of its progress at which somebody else fills the disk, but for `leave` bytes. */
async function shear(argv: readonly string[], runs: string, fillAt?: string, leave?: number): Promise<Ended> {
  const fills: Promise<void>[] = [];
  const ended = await commandLine.run(argv, {
    enter: disk.enter,
    environment: { SHEAR_RUNS_FOLDER: runs },
    onError: (text) => {
      if (fillAt !== undefined && text.includes(fillAt)) fills.push(disk.fill(leave));
    },
  });
  expect(fills).toHaveLength(fillAt === undefined ? 0 : 1);
  await Promise.all(fills);
  return ended;
}

async function compress(out: string, ...more: string[]): Promise<string[]> {
  const [text] = await starterTexts();
  return ['compress', exampleModel(), '--out', out, '--ratio', '0.2', '--data', text?.path ?? '', '--budget-tokens', '2048', ...more];
}

function errorOf({ stdout }: Ended): { readonly code: string; readonly message: string; readonly hint: string } {
  return JSON.parse(stdout) as ReturnType<typeof errorOf>;
}

/** Names in a folder; none if it is not there. */
async function namesIn(path: string): Promise<string[]> {
  return (await readdir(path).catch(() => [] as string[])).sort();
}

describe.runIf(process.platform === 'linux')('A full disk', () => {
  it('is told before anything is written, with what is needed and what is free, for results and for runs', async () => {
    disk = await makeSmallDisk(4 * MEGABYTE);
    const out = join(disk.inside, 'small');
    const runs = join(folder, 'runs');
    const words = await shear(await compress(out), runs);
    expect(words).toMatchObject({ status: 4, stdout: '' });
    expect(words.stderr).toContain(`MB on the disk of ${out}; 4 MB is free.\n${WAY_OUT}\n`);
    const json = await shear(await compress(out, '--json'), runs);
    expect(json.status).toBe(4);
    expect(errorOf(json)).toMatchObject({ code: 'disk', hint: WAY_OUT });
    expect(await namesIn(disk.folder)).toEqual([]);
    expect(await namesIn(runs)).toEqual([]);

    const elsewhere = await shear(await compress(join(folder, 'small'), '--json'), join(disk.inside, 'runs'));
    expect(elsewhere.status).toBe(4);
    expect(errorOf(elsewhere).message).toContain(join(disk.inside, 'runs'));
    expect(await namesIn(disk.folder)).toEqual([]);
    expect(await namesIn(folder)).toEqual([]);

    await disk.fill(100_000);
    for (const [format, name] of [['gguf', 'model.gguf'], ['safetensors', 'model']] as const) {
      const exported = await shear(['export', exampleModel(), '--format', format, '--out', join(disk.inside, name), '--json'], runs);
      expect(exported.status).toBe(4);
      expect(errorOf(exported)).toMatchObject({ code: 'disk', hint: WAY_OUT });
      expect(await namesIn(disk.folder)).toEqual([FILLER]);
    }
  });

  it('in the middle of writing the results leaves none of them, and the run goes on once there is space', { timeout: 120_000 }, async () => {
    disk = await makeSmallDisk(48 * MEGABYTE);
    const runs = join(folder, 'runs');
    const out = join(disk.inside, 'small');
    const argv = await compress(out, '--format', 'safetensors', '--format', 'gguf', '--prompt', 'Once');
    const words = await shear(argv, runs, 'Comparing');
    expect(words.status).toBe(4);
    expect(words.stderr).toContain(WAY_OUT);
    expect(words.stderr).toContain('--resume');
    expect(await namesIn(disk.folder)).toEqual([FILLER]);

    // What is missing is told before the run goes on.
    const refused = await shear([...argv, '--resume', '--json'], runs);
    expect(refused.status).toBe(4);
    expect(errorOf(refused)).toMatchObject({ code: 'disk', hint: WAY_OUT, message: expect.stringContaining(`MB on the disk of ${out}`) as unknown });

    // Room for no model, for one of the two, for both but not for the report (all takes 950 kB): the last is known only from a write that fails.
    for (const leave of [200_000, 700_000, 940_000]) {
      await disk.free();
      const json = await shear([...argv, '--json'], runs, 'Comparing', leave);
      expect(json.status).toBe(4);
      expect(errorOf(json)).toMatchObject({ code: 'disk', hint: WAY_OUT });
      expect(errorOf(json).message).toContain(leave === 940_000 ? `The disk is full: ${out}` : `not enough space on the disk of ${out}`);
      expect(json.stdout).not.toContain('.partial');
      expect(await namesIn(disk.folder)).toEqual([FILLER]);
    }

    await disk.free();
    expect(await shear([...argv, '--resume', '--json'], runs)).toMatchObject({ status: 0 });
    expect(await namesIn(join(disk.folder, 'small'))).toEqual(expect.arrayContaining(['model', 'report.html']));
    expect(await namesIn(disk.folder)).toEqual(['small']);
    expect(await namesIn(runs)).toHaveLength(4);
  });

  it('where the runs are kept stops a run, which is listed as one to continue, and goes on once there is space', { timeout: 120_000 }, async () => {
    disk = await makeSmallDisk(48 * MEGABYTE);
    const runs = join(disk.inside, 'runs');
    const out = join(folder, 'small');
    const words = await shear(await compress(out), runs, 'Finding');
    expect(words.status).toBe(4);
    expect(words.stderr).toContain(`The disk is full: ${runs}`);
    expect(await namesIn(folder)).toEqual([]);
    const again = await shear(await compress(out, '--resume', '--json'), runs);
    expect(again.status).toBe(4);
    expect(errorOf(again)).toMatchObject({ code: 'disk', hint: WAY_OUT });

    await disk.free();
    const listed = JSON.parse((await shear(['runs', '--json'], runs)).stdout) as { readonly runs: readonly { readonly state: string }[] };
    expect(listed.runs.map(({ state }) => state)).toEqual([expect.stringMatching(/^(failed|interrupted)$/)]);
    expect(await shear(await compress(out, '--resume', '--json'), runs)).toMatchObject({ status: 0 });
    expect(await namesIn(out)).toContain('report.html');
  });
});
