/** Turns the options of `shear compress` into a recipe. */
import { basename, extname } from 'node:path';
import * as v from 'valibot';
import { starterTexts } from '../engine/jobs/bundled';
import { completeRecipe, holdsRows, readRecipeFile, stageOfText } from '../engine/jobs/recipe';
import { UsageError } from '../engine/support/errors';
import { columnsSchema, GGUF_DTYPES, ONNX_DTYPES, type Columns, type ExportTarget, type Recipe, type RecipeInput } from '../../preload/contract/recipe';
import type { Arguments } from './arguments';

export const FORMATS = ['safetensors', 'gguf', 'onnx'] as const;
const DTYPES = ['F16', 'F32', 'BF16'] as const;
/** Short names that llama.cpp's own tool knows. */
const GGUF_SHORT_NAMES: Readonly<Record<string, string>> = { Q4_K: 'Q4_K_M', Q5_K: 'Q5_K_M' };
/** 512 blocks of 256 tokens. */
const DEFAULT_BUDGET = 131_072;

type SourceInput = RecipeInput['sources'][number];

/** An export target from a format and an element type. Throws UsageError for a pair that does not exist. */
export function exportTarget(format: (typeof FORMATS)[number], dtypeText: string | undefined): ExportTarget {
  const given = (dtypeText ?? 'F16').toUpperCase();
  if (format === 'gguf') {
    const dtype = GGUF_DTYPES.find((one) => one === (GGUF_SHORT_NAMES[given] ?? given));
    if (dtype === undefined) throw new UsageError(`--dtype of a GGUF file is one of ${GGUF_DTYPES.join(', ')}; found "${dtypeText ?? ''}".`);
    return { format, dtype };
  }
  if (format === 'onnx') {
    const dtype = ONNX_DTYPES.find((one) => one === given);
    if (dtype === undefined) throw new UsageError(`--dtype of an ONNX model is one of ${ONNX_DTYPES.join(', ')}; found "${dtypeText ?? ''}".`);
    return { format, dtype };
  }
  const dtype = DTYPES.find((one) => one === given);
  if (dtype !== undefined) return { format, dtype };
  const isGgufType = GGUF_DTYPES.some((one) => one === (GGUF_SHORT_NAMES[given] ?? given));
  throw new UsageError(
    `--dtype of safetensors is one of ${DTYPES.join(', ')}; found "${dtypeText ?? ''}".`,
    isGgufType ? { hint: `${given} is a type of GGUF files: choose --format gguf.` } : {},
  );
}

/** The recipe that a command's arguments describe: a recipe file, if one is given, overridden by the options. */
export async function recipeFromArguments(args: Arguments): Promise<Recipe> {
  const file = args.text('recipe');
  const written = file === undefined ? {} : await readRecipeFile(args.path(file));
  const given: Record<string, unknown> = {
    model: args.optionalPath(),
    out: args.has('out') ? args.path(args.required('out')) : undefined,
    size: sizeFromArguments(args),
    locks: args.list('lock').length === 0 ? undefined : args.list('lock').flatMap((text) => text.split(',').map((lock) => lock.trim())),
    mode: args.choice('mode', ['everywhere', 'quality']),
    seed: args.number('seed', { least: 0, most: 4294967295, whole: true }),
    budgetTokens: args.number('budget-tokens', { least: 0, whole: true }),
    sources: await sourcesFromArguments(args),
    exports: exportsFromArguments(args),
    training: trainingFromArguments(args, written['training']),
    prompts: args.list('prompt').length === 0 ? undefined : [...args.list('prompt')],
  };
  const input: Record<string, unknown> = { budgetTokens: DEFAULT_BUDGET, ...written };
  for (const [key, value] of Object.entries(given)) if (value !== undefined) input[key] = value;
  if (input['model'] === undefined) throw new UsageError('MODEL is missing.', { hint: 'Name the folder or file of the model first.' });
  if (input['out'] === undefined) throw new UsageError('--out is missing.', { hint: 'Name a folder that does not exist yet; the result is put there.' });
  if (input['size'] === undefined) {
    throw new UsageError('How small? Give --ratio, --target-bytes, --parameters, --fits or --recipe.', { hint: 'For example --ratio 0.2 removes a fifth of the layers.' });
  }
  input['sources'] ??= await starterSources();
  return completeRecipe(input);
}

/** The bundled texts as sources. */
export async function starterSources(): Promise<SourceInput[]> {
  const texts = await starterTexts();
  return Promise.all(texts.map(async ({ path, name }) => ({ kind: 'text' as const, path, name, stage: await stageOfText(path) })));
}

function sizeFromArguments(args: Arguments): RecipeInput['size'] | undefined {
  const ratio = args.number('ratio', { least: 0, most: 0.9 });
  const bytes = args.number('target-bytes', { least: 1, whole: true });
  const parameters = args.count('parameters');
  const memory = args.bytes('fits');
  const context = args.number('context', { least: 1, whole: true });
  const given: RecipeInput['size'][] = [
    ...(ratio === undefined ? [] : [{ kind: 'ratio' as const, ratio }]),
    ...(bytes === undefined ? [] : [{ kind: 'bytes' as const, bytes }]),
    ...(parameters === undefined ? [] : [{ kind: 'parameters' as const, parameters }]),
    ...(memory === undefined ? [] : [{ kind: 'memory' as const, bytes: memory, ...(context === undefined ? {} : { context }) }]),
  ];
  if (given.length > 1) throw new UsageError('Give one of --ratio, --target-bytes, --parameters and --fits, not several.');
  if (context !== undefined && memory === undefined) throw new UsageError('--context belongs to --fits.');
  return given[0];
}

/** Settings of a recipe's training with those that the options override, or undefined without options. */
function trainingFromArguments(args: Arguments, written: unknown): Record<string, unknown> | undefined {
  const batch = args.number('batch', { least: 1, whole: true });
  const length = args.number('length', { least: 2, whole: true });
  if (batch === undefined && length === undefined) return undefined;
  const fields = typeof written === 'object' && written !== null ? written : {};
  return { ...fields, ...(batch === undefined ? {} : { batch }), ...(length === undefined ? {} : { length }) };
}

function exportsFromArguments(args: Arguments): ExportTarget[] | undefined {
  const formats = args.choices('format', FORMATS);
  const dtype = args.text('dtype');
  if (formats.length === 0 && dtype === undefined) return undefined;
  return [...new Set(formats.length === 0 ? (['safetensors'] as const) : formats)].map((format) => exportTarget(format, dtype));
}

/** The texts of an option and the files of ids as sources with names that differ; undefined where none are given. */
export async function sourcesFromArguments(args: Arguments, option: 'data' | 'text' = 'data'): Promise<SourceInput[] | undefined> {
  const columns = columnsFromArguments(args);
  const texts = await Promise.all(args.list(option).map((text) => textSource(text, columns, args)));
  const sources = [...texts, ...args.list('ids').map((text) => idsSource(text, args))];
  if (sources.length === 0) return undefined;
  return sources.map((source, index) => ({ ...source, name: uniqueName(source.name, sources.slice(0, index).map((other) => other.name)) }));
}

/** `FILE` or `FILE:WEIGHT`; a colon that no number follows belongs to the file's name. */
async function textSource(text: string, columns: Columns | undefined, args: Arguments): Promise<SourceInput> {
  const [, file = text, weight] = /^(.+):(\d+(?:\.\d+)?)$/.exec(text) ?? [];
  const path = args.path(file);
  // Plain texts have no columns: what is said of the tables beside them is not for them.
  const chosen = columns !== undefined && holdsRows(path) ? { columns } : {};
  return { kind: 'text', path, name: nameOf(file), stage: await stageOfText(path, chosen.columns), ...chosen, ...(weight === undefined ? {} : { weight: Number(weight) }) };
}

/** `text=NAME`, `question=NAME,answer=NAME[,context=NAME]` or `messages=NAME`; names may hold commas. */
function columnsFromArguments(args: Arguments): Columns | undefined {
  const text = args.has('columns') ? args.required('columns') : undefined;
  if (text === undefined) return undefined;
  const pairs = text.split(/,(?=(?:text|question|answer|context|messages)=)/).map((pair) => pair.split(/=(.*)/s).slice(0, 2));
  const columns = v.safeParse(columnsSchema, Object.fromEntries(pairs.map(([key = '', name = '']) => [key, name])));
  if (columns.success) return columns.output;
  throw new UsageError(`--columns says which columns hold what; found "${text}".`, {
    hint: 'For example --columns text=body, --columns question=ask,answer=reply or --columns messages=chat',
  });
}

/** `FILE` or `NAME=FILE`. */
function idsSource(text: string, args: Arguments): SourceInput {
  const [, name, file = text] = /^([^=/\\]+)=(.+)$/.exec(text) ?? [];
  return { kind: 'ids', path: args.path(file), name: name ?? nameOf(file) };
}

function nameOf(file: string): string {
  return basename(file, extname(file)) || file;
}

function uniqueName(name: string, taken: readonly string[]): string {
  if (!taken.includes(name)) return name;
  for (let number = 2; ; number++) if (!taken.includes(`${name}-${number}`)) return `${name}-${number}`;
}
