/** Values that no real file holds: nesting without end, numbers without a JSON form, names that no disk takes, ids of millions. */
import { describe, expect, it } from 'vitest';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readIdsFile } from '../../main/engine/data/ids-file';
import { readTaskItems } from '../../main/engine/evaluation/tasks-items';
import { taskNamed } from '../../main/engine/evaluation/tasks';
import { parseJson } from '../../main/engine/formats/json';
import { readRecipeFile } from '../../main/engine/jobs/recipe';
import { openCheckpoint } from '../../main/engine/model/checkpoint';
import { describeJson, describeValue } from '../../main/engine/support/describe-value';
import { toAppError } from '../../main/engine/support/errors';
import { AddedTokenSplitter } from '../../main/engine/tokenizer/added-tokens';
import { loadTokenizerFromGguf } from '../../main/engine/tokenizer/gguf-tokenizer';
import { compilePattern, splitByPattern } from '../../main/engine/tokenizer/patterns';
import { tokenizerJsonToGguf } from '../../main/engine/tokenizer/json-to-gguf';
import { errorOf } from '../support/error-of';
import { le, rawEntry, rawGguf } from '../support/raw-files';
import { withTemporaryFolder } from '../support/temporary-folder';
import { writeTinyFolder } from '../support/tiny-model';

const nested = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth);

describe('Values nested without end', () => {
  it('are refused where JSON of a model, a recipe or a run is read', () =>
    withTemporaryFolder(async (folder) => {
      const model = join(folder, 'model');
      await mkdir(model);
      await writeTinyFolder(model);
      const config = join(model, 'config.json');
      await writeFile(config, (await readFile(config, 'utf8')).replace('["LlamaForCausalLM"]', nested(5000)));
      await expect(openCheckpoint(model)).rejects.toThrow(/config\.json nests lists and objects more than 200 deep/);
      await writeFile(join(folder, 'recipe.json'), `{"version": ${nested(5000)}}`);
      await expect(readRecipeFile(join(folder, 'recipe.json'))).rejects.toThrow(/recipe\.json nests lists and objects more than 200 deep/);
      expect(parseJson(Buffer.from(nested(150)), 'a.json')).toBeInstanceOf(Array);
    }));

  it('are named shortly where they stand for an id or an answer', () =>
    withTemporaryFolder(async (folder) => {
      await writeFile(join(folder, 'ids.json'), `[[1, ${nested(5000)}]]`);
      await expect(readIdsFile(join(folder, 'ids.json'), 8)).rejects.toThrow('has [[[[[...]]]]] at block 1, place 2');
      await writeFile(join(folder, 'task.jsonl'), `{"query": "Q", "choices": ["a", "b"], "gold": ${nested(5000)}}\n`);
      await expect(readTaskItems(join(folder, 'task.jsonl'), taskNamed('arc_easy'))).rejects.toThrow(/has \[\[\[\[.* as "gold"/);
    }));
});

describe('A message', () => {
  it('shows any value in a line', () => {
    expect(describeValue('a')).toBe('a');
    expect(describeJson('a')).toBe('"a"');
    expect(describeJson([1n, 2n ** 63n, null, undefined, true, Number.NaN])).toBe('[1,9223372036854775808,null,nothing,true,NaN]');
    expect(describeJson({ a: Uint8Array.of(1, 2), b: BigInt64Array.of(-1n) })).toBe('{"a":[1,2],"b":[-1]}');
    expect(describeJson(Array.from({ length: 100_000 }, (_, index) => index)).length).toBeLessThan(90);
  });

  it('about metadata of a GGUF file does so where it holds lists of 64-bit numbers', () =>
    withTemporaryFolder(async (folder) => {
      expect(errorOf(() => loadTokenizerFromGguf(new Map<string, unknown>([['tokenizer.ggml.model', [2n ** 60n]]]))).message).toContain('[1152921504606846976]');
      const path = join(folder, 'a.gguf');
      await writeFile(path, rawGguf([rawEntry('general.architecture', 9, le.u32(10), le.u64(1), le.u64(2n ** 60n))]));
      await expect(openCheckpoint(path)).rejects.toThrow(/architecture \[1152921504606846976\]/);
      await writeFile(path, rawGguf([rawEntry('general.architecture', 10, le.u64(2n ** 60n))]));
      await expect(openCheckpoint(path)).rejects.toThrow(/architecture 1152921504606846976/);
    }));
});

it('A layer type that JavaScript cannot turn into a text is refused by name', () =>
  withTemporaryFolder(async (folder) => {
    await writeTinyFolder(folder, { family: 'gemma3', design: { windows: [4, 0] } }, { settings: { layer_types: [{ toString: 1 }, 'full_attention'] } });
    await expect(openCheckpoint(folder)).rejects.toThrow(/layer_types|kinds of attention/);
  }));

it('An index that names no weights is told', () =>
  withTemporaryFolder(async (folder) => {
    await writeTinyFolder(folder);
    await writeFile(join(folder, 'model.safetensors.index.json'), '{"weight_map": {}}');
    await expect(openCheckpoint(folder)).rejects.toThrow(/model\.safetensors\.index\.json names no weights at all/);
  }));

it('A shard whose name no disk takes is a shard that is not there', () =>
  withTemporaryFolder(async (folder) => {
    await writeTinyFolder(folder);
    await writeFile(join(folder, 'model.safetensors.index.json'), JSON.stringify({ weight_map: { a: 'x'.repeat(5000), b: 'config.json/x' } }));
    await expect(openCheckpoint(folder)).rejects.toThrow(/2 of 2 weight files are not in the folder/);
  }));

it.each(['ENAMETOOLONG', 'ENOTDIR', 'ELOOP', 'EISDIR', 'EIO'])('The system\'s error %s is told in words', (code) => {
  const error = toAppError(Object.assign(new Error(code), { code, path: 'y'.repeat(5000) }));
  expect(error.code).toBe('not-found');
});

describe('A pattern of a tokenizer', () => {
  it.each(['(a+)+$', '(?:a|a)*b', '((a*)b?)*c', '(?:a?){40}b', '(?:\\s*x|\\s+)+y'])('that may take forever is refused: %s', (source) => {
    expect(errorOf(() => compilePattern({ kind: 'regex', source })).message).toContain('may take forever');
  });

  it.each(['(?=(\\d{3})+(?!\\d))', "(?i:'s|'t)?\\p{L}+", '[(a|b)+]+', '\\(a+\\)+', '(?:ab)+', '(?:a|b){1,3}'])('that has one way only is taken: %s', (source) => {
    expect(compilePattern({ kind: 'regex', source })).toBeInstanceOf(RegExp);
  });

  it('of texts longer than can be looked for is refused', () => {
    expect(errorOf(() => compilePattern({ kind: 'literal', text: 'x'.repeat(1_600_000) })).message).toMatch(/looks for texts of 1600000 characters/);
    const tokens = ['{% x %}', '<s>'].map((content, id) => ({
      id, content: content.repeat(200_000), special: true, singleWord: false, stripLeft: false, stripRight: false, lookedFor: 'text' as const,
    }));
    expect(errorOf(() => new AddedTokenSplitter(tokens)).message).toContain('more than can be looked for');
  });

  it.each(['', 'x*', '(?=b)'])('that matches nothing comes to an end in texts with characters beyond 16 bits: "%s"', (source) => {
    const pieces: string[] = [];
    splitByPattern('a🙂🙂b', compilePattern({ kind: 'regex', source }), 'Isolated', false, pieces);
    expect(pieces).toEqual(['a🙂🙂b']);
  });
});

it('A token with an id of millions makes no table of millions in a GGUF vocabulary', () => {
  const json = {
    added_tokens: [{ id: 4_194_303, content: '<x>', special: true }],
    pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, use_regex: true }, decoder: { type: 'ByteLevel' },
    model: { type: 'BPE', vocab: { a: 0 }, merges: [] },
  };
  expect(errorOf(() => tokenizerJsonToGguf(json, null)).message).toContain('a token with the id 4194303, but only 2 tokens');
  expect(tokenizerJsonToGguf(json, null, 10).get('tokenizer.ggml.tokens')?.value).toHaveLength(10);
});
