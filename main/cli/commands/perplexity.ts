/** `shear perplexity`: how surprised a model is by texts. */
import { measureModel } from '../../engine/jobs/measure-model';
import { UsageError } from '../../engine/support/errors';
import type { Command } from '../command';
import { asCount, asFigure } from '../words';

const DEFAULT_WINDOW = 512;

export const perplexity: Command = {
  name: 'perplexity',
  summary: 'Measure how surprised a model is by texts (lower is better)',
  usage: ['MODEL --text FILE… [--tokens N] [--window 512]', 'MODEL --ids FILE [--tokens N] [--window 512]'],
  options: {
    text: { type: 'string', multiple: true },
    ids: { type: 'string' },
    tokens: { type: 'string' },
    window: { type: 'string' },
  },
  help: [
    { usage: '--text FILE', about: 'a text (.txt, .md, .jsonl, .json, .csv, .tsv, .parquet); repeat for several' },
    { usage: '--ids FILE', about: 'token ids instead: JSON, one array, or an array of arrays' },
    { usage: '--tokens N', about: 'only the first N tokens' },
    { usage: '--window N', about: `tokens that the model sees at a time; ${DEFAULT_WINDOW} unless given` },
  ],
  async run(args, context) {
    const model = args.onePath('MODEL');
    const texts = args.list('text').map((text) => args.path(text));
    const ids = args.text('ids');
    if ((texts.length === 0) === (ids === undefined)) throw new UsageError('Give either --text or --ids.');
    const measured = await measureModel(
      model,
      ids === undefined ? { kind: 'texts', paths: texts } : { kind: 'ids', path: args.path(ids) },
      {
        tokens: args.number('tokens', { least: 2, whole: true }),
        window: args.number('window', { least: 2, most: 131072, whole: true }) ?? DEFAULT_WINDOW,
        threads: context.threads, signal: context.signal, onProgress: context.progress('Measuring'),
      },
    );
    return { json: measured, text: `Perplexity ${asFigure(measured.perplexity)} over ${asCount(measured.tokens)} predicted tokens.` };
  },
};
