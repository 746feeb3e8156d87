/** `shear inspect`: what a model is, from its headers alone. */
import { inspectModel } from '../../engine/jobs/inspect';
import type { Command } from '../command';
import { asBytes, asCount, pairs } from '../words';

export const inspect: Command = {
  name: 'inspect',
  summary: 'Say what a model is, without reading its weights',
  usage: ['MODEL'],
  options: {},
  help: [],
  async run(args) {
    const model = await inspectModel(args.onePath('MODEL'));
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
    return { json: model, text: [facts, ...problems].join('\n') };
  },
};
