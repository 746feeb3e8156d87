/** `shear verify`: opens a model and checks what it computes. */
import { readFile } from 'node:fs/promises';
import { starterTexts } from '../../engine/jobs/bundled';
import { verifyModel } from '../../engine/jobs/verify-model';
import type { Command } from '../command';

/** Enough characters for the check in any vocabulary. */
const TEXT_CHARACTERS = 8192;

export const verify: Command = {
  name: 'verify',
  summary: 'Open a model, compute on a text, and compare with another model',
  usage: ['PATH [--against MODEL]'],
  options: { against: { type: 'string' } },
  help: [{ usage: '--against MODEL', about: 'a model that should give the same answers, e.g. the same one in another format' }],
  notes: ['The exit status is 5 when the check does not pass.'],
  async run(args, context) {
    const path = args.onePath('PATH');
    const against = args.text('against');
    const verification = await verifyModel(path, {
      against: against === undefined ? undefined : args.path(against),
      text: await someText(),
      threads: context.threads, signal: context.signal,
    });
    const { ok, differences } = verification;
    const compared = against === undefined ? '' : ` Its answers agree with those of ${against}.`;
    return {
      json: verification,
      passed: ok,
      text: ok ? `${path} is sound.${compared}` : [`${path} did not pass:`, ...differences.map((difference) => `  ${difference.message}`)].join('\n'),
    };
  },
};

async function someText(): Promise<string> {
  const texts = await starterTexts();
  const plain = texts.find((text) => text.path.endsWith('.txt'))?.path;
  return plain === undefined ? 'Once upon a time there was a small model. '.repeat(64) : (await readFile(plain, 'utf8')).slice(0, TEXT_CHARACTERS);
}
