/**
 * The README.md of an exported model, in the form that model hubs read: what it was made from, under which licence, what
 * was removed and what that cost. The licence is the original's own; none is ever made up.
 */
import type { Recipe } from '../../../preload/contract/recipe';
import type { RunResult } from '../../../preload/contract/run';
import type { CardLicence } from '../model/side-files';
import { asBytes, asCount, asFigure, asPercent } from './report-text';

/** What a model card tells. */
export interface ModelCardInput {
  /** Name of the smaller model. */
  readonly name: string;
  /** Hub id or name of the original. */
  readonly baseModel: string;
  /** As `Checkpoint.licence`: SPDX name, a licence file's name, or `unknown`. */
  readonly licence: string;
  /** What the original's card states, to be stated again; null if it has none. */
  readonly cardLicence: CardLicence | null;
  /** Names of licence and notice files that lie beside the card. */
  readonly licenceFiles: readonly string[];
  readonly recipe: Recipe;
  /** Figures; `exports` and `report` are not used. */
  readonly result: Pick<RunResult, 'removedFraction' | 'before' | 'after' | 'perplexities' | 'layers' | 'samples'>;
  readonly version: string;
  /** What the weights are stored as, and whether a Python file beside them describes the layers. */
  readonly format: 'safetensors' | 'gguf' | 'onnx';
  readonly needsCode: boolean;
  /** What the file type could not keep, in sentences. */
  readonly notes: readonly string[];
}

/** The model card as Markdown with YAML front matter. */
export function renderModelCard(input: ModelCardInput): string {
  const { name, baseModel, recipe, result } = input;
  const removed = asPercent(result.removedFraction);
  const widths = new Set(result.layers.map((layer) => `${layer.kvHeads}/${layer.ffn}`));
  const first = result.layers[0];
  const lines = [
    '---',
    `base_model: ${yamlText(baseModel)}`,
    ...licenceEntries(input),
    `library_name: ${input.format === 'onnx' ? 'onnxruntime-genai' : 'transformers'}`,
    'pipeline_tag: text-generation',
    'tags:',
    '- pruned',
    '- lorashear',
    '---',
    '',
    `# ${inline(name)}`,
    '',
    `A smaller version of ${inline(baseModel)}: ${removed} of the linear weights in its layers were removed by structured pruning (LoRAShear), and the rest was trained briefly to make up for it. It was made on one machine with Shear ${input.version}.`,
    '',
    '| | original | this model |',
    '|---|---:|---:|',
    `| parameters | ${asCount(result.before.parameters)} | ${asCount(result.after.parameters)} |`,
    `| weights | ${asBytes(result.before.bytes)} | ${asBytes(result.after.bytes)} |`,
    `| tokens a second (same machine) | ${asFigure(result.before.tokensPerSecond)} | ${asFigure(result.after.tokensPerSecond)} |`,
    '',
    '## What was removed',
    '',
    first !== undefined && widths.size === 1
      ? `Every layer keeps ${first.kvHeads} of ${first.kvHeadsBefore} attention groups and ${asCount(first.ffn)} of ${asCount(first.ffnBefore)} feed-forward channels.`
      : 'Each layer keeps its own widths:',
    ...(widths.size > 1 ? ['', '| layer | attention groups | feed-forward channels |', '|---:|---:|---:|'] : []),
    ...(widths.size > 1
      ? result.layers.map((layer, index) => `| ${index + 1} | ${layer.kvHeads} of ${layer.kvHeadsBefore} | ${layer.ffn} of ${layer.ffnBefore} |`)
      : []),
    '',
    '## What it cost',
    '',
    'Perplexity on parts of each text that were held back from training (lower is better):',
    '',
    '| text | original | just pruned | recovered | tokens |',
    '|---|---:|---:|---:|---:|',
    ...result.perplexities.map(
      (row) => `| ${inline(row.source)} | ${asFigure(row.full)} | ${asFigure(row.pruned)} | ${asFigure(row.recovered)} | ${asCount(row.tokens)} |`,
    ),
    '',
    'The model was judged on these texts only; try it on your own before you rely on it. What the original should not be used for, this one should not either.',
    '',
    ...opening(input),
    '## Licence',
    '',
    licenceSentence(input),
    '',
    '## Recipe',
    '',
    'Files are named without their folders.',
    '',
    '```json',
    JSON.stringify(portableRecipe(recipe), null, 2),
    '```',
    '',
  ];
  return lines.join('\n');
}

function opening({ format, needsCode, notes }: ModelCardInput): string[] {
  const code = needsCode ? ', trust_remote_code=True' : '';
  const how =
    format === 'gguf'
      ? ['The .gguf file opens in llama.cpp and the programs that are built on it.']
      : format === 'onnx'
      ? ['The folder opens in ONNX Runtime (`model.onnx` with the weights beside it) and in onnxruntime-genai:', '', '```python', 'import onnxruntime_genai as og', 'model = og.Model(FOLDER)', 'tokenizer = og.Tokenizer(model)', '```']
      : [
          ...(needsCode ? ['Its layers differ in width, which no stock class of transformers allows: `modeling_shear.py` beside the weights describes them, and loading needs `trust_remote_code=True`. Read that file first; it is short.', ''] : []),
          '```python',
          'from transformers import AutoModelForCausalLM, AutoTokenizer',
          `model = AutoModelForCausalLM.from_pretrained(FOLDER${code})`,
          'tokenizer = AutoTokenizer.from_pretrained(FOLDER)',
          '```',
        ];
  return ['## How to open it', '', ...how, ...notes.flatMap((note) => ['', note]), ''];
}

/** The original's own fields where its card has them; never a licence that nobody stated. */
function licenceEntries({ licence, cardLicence, licenceFiles }: ModelCardInput): string[] {
  const file = licenceFiles.find((name) => /licen[cs]e/i.test(name));
  if (cardLicence !== null) {
    const link = cardLicence.link ?? (cardLicence.licence === 'other' ? (file ?? null) : null);
    return [
      `license: ${yamlText(cardLicence.licence)}`,
      ...(cardLicence.name === null ? [] : [`license_name: ${yamlText(cardLicence.name)}`]),
      ...(link === null ? [] : [`license_link: ${yamlText(link)}`]),
    ];
  }
  if (licence === 'unknown') return [];
  if (licenceFiles.includes(licence)) return ['license: other', `license_link: ${yamlText(licence)}`];
  return [`license: ${yamlText(licence.toLowerCase())}`, ...(licence.toLowerCase() === 'other' && file !== undefined ? [`license_link: ${yamlText(file)}`] : [])];
}

function licenceSentence({ licence, licenceFiles, baseModel }: ModelCardInput): string {
  const files = licenceFiles.length === 0 ? '' : ` Its files lie beside this one: ${licenceFiles.map(inline).join(', ')}.`;
  if (licence === 'unknown' && licenceFiles.length === 0) {
    return `The files of ${inline(baseModel)} do not say under which licence they are. Find out before you pass this model on.`;
  }
  return `This model is under the licence of ${inline(baseModel)}${licence === 'unknown' ? '' : ` (${inline(licence)})`}.${files}`;
}

/** File names instead of whole paths: a card is for other people, whom a user's folders do not concern. */
function portableRecipe(recipe: Recipe): Recipe {
  const last = (path: string): string => path.split(/[\\/]/).filter((part) => part !== '').at(-1) ?? path;
  return { ...recipe, model: last(recipe.model), out: last(recipe.out), sources: recipe.sources.map((source) => ({ ...source, path: last(source.path) })) };
}

/** A YAML double-quoted string where plain text could be misread. */
function yamlText(text: string): string {
  return /^[A-Za-z][A-Za-z0-9._/-]*$/.test(text) && !/^(true|false|yes|no|null|on|off)$/i.test(text) ? text : JSON.stringify(text);
}

/** Text that cannot break out of a line or a table cell of Markdown. */
function inline(text: string): string {
  return text.replace(/\s+/g, ' ').replace(/[\\`*_[\]<>|]/g, (character) => `\\${character}`);
}
