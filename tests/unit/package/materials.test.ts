/** What the program is made of: its bill of materials, notices and licences follow from the packages that are there. */
import { spawnSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as v from 'valibot';
import { describe, expect, it } from 'vitest';

const root = join(import.meta.dirname, '..', '..', '..');

/** Runs one of the scripts; throws with what it said if it fails. */
function script(name: string, ...argv: string[]): string {
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(root, 'scripts', name), ...argv], { cwd: root, encoding: 'utf8' });
  if (status !== 0) throw new Error(`${name} ended with ${String(status)}: ${stderr}`);
  return stdout;
}

const billSchema = v.object({
  bomFormat: v.literal('CycloneDX'),
  specVersion: v.literal('1.6'),
  components: v.array(v.object({
    'bom-ref': v.string(), name: v.string(), version: v.string(),
    hashes: v.optional(v.array(v.object({ alg: v.literal('SHA-512'), content: v.pipe(v.string(), v.regex(/^[0-9a-f]{128}$/)) }))),
    licenses: v.pipe(v.array(v.unknown()), v.minLength(1)),
  })),
  dependencies: v.array(v.object({ ref: v.string(), dependsOn: v.array(v.string()) })),
});
const lockSchema = v.object({ packages: v.record(v.string(), v.object({ version: v.optional(v.string()), dependencies: v.optional(v.record(v.string(), v.string())) })) });

describe('the bill of materials', () => {
  it('names every dependency with the version and the hash of package-lock.json, and nothing twice', async () => {
    const bill = v.parse(billSchema, JSON.parse(script('bill-of-materials.mjs')));
    const lock = v.parse(lockSchema, JSON.parse(await readFile(join(root, 'package-lock.json'), 'utf8'))).packages;
    const listed = new Map(bill.components.map((one) => [`${one.name}@${one.version}`, one]));
    expect(listed.size).toBe(bill.components.length);
    for (const name of [...Object.keys(lock['']?.dependencies ?? {}), 'svelte', 'chart.js']) {
      const id = `${name}@${lock[`node_modules/${name}`]?.version ?? 'missing'}`;
      expect(listed.get(id)?.hashes, id).toHaveLength(1);
    }
  });

  it('says of each which others it needs, all of which it names', () => {
    const bill = v.parse(billSchema, JSON.parse(script('bill-of-materials.mjs')));
    const refs = new Set(bill.components.map((one) => one['bom-ref']));
    expect(bill.dependencies.flatMap((one) => one.dependsOn).filter((ref) => !refs.has(ref))).toEqual([]);
    expect(new Set(bill.dependencies.slice(1).map((one) => one.ref))).toEqual(new Set([...refs].filter((ref) => ref.startsWith('pkg:'))));
  });
});

it('THIRD-PARTY-NOTICES.md has the licences of exactly these packages', () => {
  expect(script('third-party-notices.mjs', '--check')).toBe('');
});

it('Every package has a licence that was looked at, and a hash that holds its content', () => {
  expect(script('audit.mjs', '--offline')).toContain('onnxruntime-node');
});
