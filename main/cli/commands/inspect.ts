/** `shear inspect`: what models are, from their headers alone. One that cannot be used hides no other. */
import type { Inspection } from '../../../preload/contract/model';
import { inspectModel } from '../../engine/jobs/inspect';
import { toAppError, type AppError } from '../../engine/support/errors';
import type { Command, Outcome } from '../command';
import { asBytes, asCount, pairs } from '../words';

export const inspect: Command = {
  name: 'inspect',
  summary: 'Say what a model is, without reading its weights',
  usage: ['MODEL…'],
  options: {},
  help: [],
  notes: ['With several, --json prints {"models": [...]}, with an "error" for those that cannot be used; the exit status is then that of the first error.'],
  async run(args, context) {
    const paths = args.paths('MODEL');
    const [only, second] = paths;
    if (only !== undefined && second === undefined) {
      const model = await inspectModel(only);
      return { json: model, text: described(model) };
    }
    return inspectAll(paths, context.note);
  },
};

async function inspectAll(paths: readonly string[], note: (text: string) => void): Promise<Outcome> {
  const models: (Inspection | { readonly path: string; readonly error: ReturnType<AppError['toData']> })[] = [];
  const texts: string[] = [];
  let failure: AppError | undefined;
  for (const path of paths) {
    try {
      const model = await inspectModel(path);
      models.push(model);
      texts.push(described(model));
    } catch (thrown) {
      const error = toAppError(thrown, path);
      failure ??= error;
      models.push({ path, error: error.toData() });
      note(`${path}: ${error.message}${error.hint === undefined ? '' : `\n${error.hint}`}`);
    }
  }
  return { json: { models }, text: texts.join('\n\n'), failure };
}

function described(model: Inspection): string {
  const problems = model.problems.map(({ severity, message, hint }) => `${severity === 'error' ? 'Problem' : 'Note'}: ${message}${hint === undefined ? '' : ` ${hint}`}`);
  const total = (key: 'attentionParameters' | 'mlpParameters'): number => model.perLayer.reduce((sum, layer) => sum + layer[key], 0);
  const facts = pairs([
    ['Name', model.name],
    ['Family', model.family],
    ['Parameters', asCount(model.parameters)],
    ['In layers', `${asCount(model.linearParameters)}: attention ${asCount(total('attentionParameters'))}, feed-forward ${asCount(total('mlpParameters'))}`],
    ['Outside', `${asCount(model.embeddingParameters)} in the embedding, ${model.headParameters === 0 ? 'which is the output head too' : `${asCount(model.headParameters)} in the output head`}`],
    ['Size', `${asBytes(model.bytes)} (${model.dtype})`],
    ['Layers', `${model.layers}, each ${model.hidden} wide`],
    ['Attention', `${model.heads} heads of ${model.headDim}, ${model.kvHeads} for keys and values`],
    ['Feed-forward', `${asCount(model.ffn)} channels`],
    ['Vocabulary', `${asCount(model.vocabulary)}${model.tied ? ', shared by input and output' : ''}`],
    ['Length', `${asCount(model.contextLength)} tokens`],
    ['Tokenizer', `${model.tokenizer}${model.hasChatTemplate ? ', with a chat template' : ''}`],
    ['Licence', model.licence],
  ]);
  return [facts, ...problems].join('\n');
}
