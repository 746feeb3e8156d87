/** Real processes, really killed: a few kills of scripts/kill-runs.mjs, which takes fifty. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';

const script = join(import.meta.dirname, '..', '..', 'scripts', 'kill-runs.mjs');

describe('Runs of the example that are killed with SIGKILL', () => {
  it('are continued to the same plan and the same exported bytes as one that was never stopped', { timeout: 300_000 }, async () => {
    const { stdout } = await promisify(execFile)(process.execPath, [script, '--quick', '--kills', '2', '--every', '0.05', '--places', 'prune,recover', '--seed', '7', '--json']);
    expect(JSON.parse(stdout)).toMatchObject({ kills: 2, different: [] });
  });
});
