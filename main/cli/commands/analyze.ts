/** `shear analyze`: which parts of which layers the texts need. */
import { analyzeModel, requireNewFile, writeAnalysisCsv, type AnalyzedModel } from '../../engine/jobs/analyze-model';
import { UsageError } from '../../engine/support/errors';
import type { Command } from '../command';
import { sourcesFromArguments } from '../recipe-options';
import { asCount, columns } from '../words';

export const analyze: Command = {
  name: 'analyze',
  summary: 'Show which parts of a model your texts need most',
  usage: ['MODEL --text FILE… [--csv FILE]', 'MODEL --ids FILE… [--csv FILE]'],
  options: {
    text: { type: 'string', multiple: true },
    ids: { type: 'string', multiple: true },
    csv: { type: 'string' },
    ratio: { type: 'string' },
    tokens: { type: 'string' },
    seed: { type: 'string' },
    memory: { type: 'string' },
  },
  help: [
    { usage: '--text FILE', about: 'a text (.txt, .md, .jsonl, .json, .csv, .tsv, .parquet); each is a kind of knowledge of its own' },
    { usage: '--ids [NAME=]FILE', about: 'token ids instead or as well: JSON, one array, or an array of arrays' },
    { usage: '--csv FILE', about: 'write the table there too, for spreadsheets' },
    { usage: '--ratio R', about: 'share of a part that is taken out to see what is lost; 0.25 unless given' },
    { usage: '--tokens N', about: 'tokens of each text to measure on; 512 unless given' },
    { usage: '--seed N', about: 'the same seed gives the same figures; 0 unless given' },
    { usage: '--memory SIZE', about: 'memory that it may use, such as 4GB; what is free unless given' },
  ],
  notes: [
    'Each part of each layer is pruned alone, and the rise of the loss on each text measured in nats a token. The estimate',
    'comes from gradients alone; the rank correlation says how alike the two order the parts.',
  ],
  async run(args, context) {
    const model = args.onePath('MODEL');
    const sources = await sourcesFromArguments(args, 'text');
    if (sources === undefined) throw new UsageError('Give --text or --ids.');
    const csv = args.text('csv') === undefined ? null : args.path(args.required('csv'));
    if (csv !== null) requireNewFile(csv);
    const analyzed = await analyzeModel(model, {
      sources,
      ratio: args.number('ratio', { least: 0, most: 1 }),
      tokens: args.number('tokens', { least: 1, whole: true }),
      seed: args.number('seed', { least: 0, most: 4294967295, whole: true }),
      threads: context.threads, memoryLimitBytes: context.memoryLimitBytes,
      signal: context.signal, onProgress: context.progress('Analysing'), note: context.note,
    });
    if (csv !== null) await writeAnalysisCsv(csv, analyzed);
    return { json: analyzed, text: table(analyzed) };
  },
};

function table({ groups, sources, rankCorrelation }: AnalyzedModel): string {
  const names = sources.map(({ name }) => name);
  const header = ['Layer', 'Part', 'Parameters', ...names, 'Mean', 'Estimate', ''];
  const rows = groups.map((group) => [
    String(group.layer + 1), group.part === 'mlp' ? 'feed-forward' : 'attention', asCount(group.parameters),
    ...names.map((name) => (group.deviation[name] ?? Number.NaN).toFixed(4)), group.meanDeviation.toFixed(4), group.estimate.toFixed(4),
    group.locked ? 'kept whole' : '',
  ]);
  const said = (value: number | null): string => (value === null ? 'nothing' : value.toFixed(2));
  const { all, attention, mlp } = rankCorrelation;
  return [
    columns([header, ...rows], 2),
    '',
    `Rank correlation of the estimate with what was measured: ${said(all)} (attention ${said(attention)}, feed-forward ${said(mlp)}).`,
  ].join('\n');
}
