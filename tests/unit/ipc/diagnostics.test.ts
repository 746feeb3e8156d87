/** The report for somebody who helps: what it says, and whom it does not name. */
import { describe, expect, it } from 'vitest';
import * as v from 'valibot';
import { writeReport } from '../../../main/ipc/diagnostics';
import { redact } from '../../../main/ipc/redact';
import { recipeSchema } from '../../../preload/contract/recipe';
import type { RunSummary } from '../../../preload/contract/run';
import { settingsSchema } from '../../../preload/contract/settings';

const ADA = { home: '/home/ada', user: 'ada', computer: 'lab-7' };

describe('redaction', () => {
  it.each([
    ['/home/ada/models/x.gguf is missing', '~/models/x.gguf is missing'],
    ['folder "/home/ada"', 'folder "~"'],
    ['/home/adam/x and /home/bob/y', '/home/<user>/x and /home/<user>/y'],
    ['/Users/eve/z', '/Users/<user>/z'],
    ['/mnt/ada/data by Ada on LAB-7', '/mnt/<user>/data by <user> on <computer>'],
    ['Canada, adapter, lab-70', 'Canada, adapter, lab-70'],
  ])('makes of %s: %s', (given, expected) => {
    expect(redact(given, ADA)).toBe(expected);
  });

  it('knows the paths of Windows, plain and in JSON', () => {
    const grace = { home: 'C:\\Users\\Grace H', user: 'Grace H', computer: 'NAVY' };
    expect(redact('C:\\Users\\Grace H\\m.gguf', grace)).toBe('~\\m.gguf');
    expect(redact(JSON.stringify({ path: 'C:\\Users\\Grace H\\m' }), grace)).toBe('{"path":"~\\\\m"}');
    expect(redact('D:\\Users\\Eve\\m', grace)).toBe('D:\\Users\\<user>\\m');
  });

  it('takes names literally and does without those that are not known', () => {
    expect(redact('a.b axb', { home: '', user: 'a.b', computer: '' })).toBe('<user> axb');
  });
});

describe('the report', () => {
  const settings = v.parse(settingsSchema, { threads: 2, recentModels: ['/data/secret-place/x.gguf'] });
  const run: RunSummary = {
    runId: 'r', folder: '/home/ada/runs/r', state: 'failed', lastStage: 'measure', startedAt: 0, result: null,
    recipe: v.parse(recipeSchema, {
      model: '/data/secret-place/SmolLM', size: { kind: 'bytes', bytes: 1000 }, sources: [{ kind: 'text', path: '/data/diary.txt', name: 'My diary' }],
      budgetTokens: 4096, out: '/home/ada/out', prompts: ['Dear diary'],
    }),
    error: { code: 'memory', message: 'Not enough for /home/ada/x.', details: {} },
  };

  it('tells the machine, the settings, the devices and how runs ended', () => {
    const text = writeReport({
      version: '0.1.0', electron: '45', settings, settingsProblem: null, runs: [run],
      devices: [{ name: 'cpu', label: 'the processor', usable: true, reason: null }, { name: 'webgpu', label: 'the graphics card', usable: false, reason: 'No driver.' }],
    });
    for (const part of ['Shear 0.1.0', 'threads: 2', 'theme: system', 'resultsFolder: as usual', 'the graphics card: No driver.', 'failed after measure', 'model SmolLM', 'memory: Not enough']) {
      expect(text).toContain(part);
    }
  });

  it('leaves out texts, prompts and places of files', () => {
    const text = writeReport({ version: '0', electron: '0', settings, settingsProblem: null, runs: [run], devices: [] });
    for (const part of ['diary', 'secret-place']) expect(text).not.toContain(part);
    expect(redact(text, ADA)).not.toContain('ada');
  });

  it('is written all the same when the engine does not answer', () => {
    const text = writeReport({ version: '0', electron: '0', settings, settingsProblem: 'Damaged.', runs: 'It has ended.', devices: 'It has ended.' });
    expect(text).toContain('It has ended.');
    expect(text).toContain('Damaged.');
  });
});
