/** Sixty steps of training in a process of its own; scripts/soak.mjs has the long version, docs/results.md its result. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import * as v from 'valibot';
import { expect, it } from 'vitest';

const SCRIPT = join(import.meta.dirname, '../../../scripts/soak.mjs');
const resultSchema = v.object({ steps: v.number(), early: v.number(), late: v.number(), growth: v.number(), isFlat: v.boolean() });

it('holds no more memory after sixty steps of changing shapes than after twelve', async () => {
  const { stdout } = await promisify(execFile)(process.execPath, [SCRIPT, '--tiny', '--steps', '60', '--json']);
  const { steps, growth, late } = v.parse(resultSchema, JSON.parse(stdout));
  expect(steps).toBe(60);
  expect(growth).toBeLessThan(0.1);
  expect(late).toBeLessThan(600e6);
});
