/** `shear generate`: continues a text. */
import { generateText } from '../../engine/jobs/generate-text';
import type { Command } from '../command';
import { asFigure } from '../words';

export const generateCommand: Command = {
  name: 'generate',
  summary: 'Let a model continue a text',
  usage: ['MODEL --prompt TEXT [--tokens N] [--seed N] [--temperature T]'],
  options: { prompt: { type: 'string' }, tokens: { type: 'string' }, seed: { type: 'string' }, temperature: { type: 'string' } },
  help: [
    { usage: '--prompt TEXT', about: 'how the text begins' },
    { usage: '--tokens N', about: 'at most so many new tokens; 128 unless given' },
    { usage: '--temperature T', about: '0 always takes the likeliest token (the default); 0.8 varies' },
    { usage: '--seed N', about: 'the same seed gives the same text; 0 unless given' },
  ],
  async run(args, context) {
    const model = args.onePath('MODEL');
    const prompt = args.required('prompt');
    const generated = await generateText(model, prompt, {
      tokens: args.number('tokens', { least: 1, most: 100_000, whole: true }) ?? 128,
      seed: args.number('seed', { least: 0, most: 4294967295, whole: true }) ?? 0,
      temperature: args.number('temperature', { least: 0, most: 5 }) ?? 0,
      threads: context.threads, signal: context.signal, onProgress: context.progress('Writing'),
    });
    context.note(`${asFigure(generated.tokensPerSecond)} tokens a second`);
    return { json: generated, text: prompt + generated.text };
  },
};
