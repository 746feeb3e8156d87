import { describe, expect, it } from 'vitest';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openGguf } from '../../main/engine/formats/gguf/reader';
import { openCheckpoint } from '../../main/engine/model/checkpoint';
import { UnsupportedError } from '../../main/engine/support/errors';
import { le, rawEntry, rawGguf, rawTensor } from '../support/raw-files';
import { withTemporaryFolder } from '../support/temporary-folder';

const alignment = (value: number): Buffer => rawEntry('general.alignment', 4, le.u32(value));
const nested = (depth: number): Buffer => Buffer.concat([...Array.from({ length: depth }, () => Buffer.concat([le.u32(9), le.u64(1)])), le.u32(4), le.u64(1), le.u32(7)]);

describe('A GGUF file is refused', () => {
  it.each([
    { name: 'with value type 99 (case 12)', bytes: rawGguf([rawEntry('x.y', 99, le.u32(1))]), words: /"x\.y" the value type 99/ },
    { name: 'with alignment 0', bytes: rawGguf([alignment(0)]), words: /alignment 0; expected a power of two/ },
    { name: 'with alignment 24', bytes: rawGguf([alignment(24)]), words: /alignment 24/ },
    { name: 'with lists nested without end', bytes: rawGguf([rawEntry('x.y', 9, nested(50))]), words: /nests lists .*"x\.y"/ },
    { name: 'that claims more values than it has bytes', bytes: rawGguf([rawEntry('x.y', 9, le.u32(4), le.u64(2n ** 62n))]), words: /states 4611686018427387904 values for the metadata "x\.y"/ },
    { name: 'that claims a longer text than it has bytes', bytes: rawGguf([rawEntry('x.y', 8, le.u64(1000))]), words: /cut short/ },
    { name: 'that claims a text of any length', bytes: rawGguf([rawEntry('x.y', 8, le.u64(2n ** 63n))]), words: /states 9223372036854775808 bytes/ },
    { name: 'that names an entry twice', bytes: rawGguf([alignment(32), alignment(32)]), words: /"general\.alignment" twice/ },
    { name: 'that names a tensor twice', bytes: rawGguf([], [rawTensor('a', [1], 0, 0), rawTensor('a', [1], 0, 32)], 64), words: /tensor "a" twice/ },
    { name: 'with five axes', bytes: rawGguf([], [rawTensor('a', [1, 1, 1, 1, 1], 0, 0)], 32), words: /5 axes/ },
    { name: 'with sizes beyond counting', bytes: rawGguf([], [rawTensor('a', [2 ** 50, 2 ** 50], 0, 0)], 32), words: /more elements than/ },
    { name: 'whose tensors overlap', bytes: rawGguf([], [rawTensor('a', [16], 0, 0), rawTensor('b', [16], 0, 32)], 96), words: /"b" overlap/ },
    { name: 'with data that is not aligned', bytes: rawGguf([], [rawTensor('a', [1], 0, 4)], 32), words: /at byte 4/ },
    { name: 'that lacks data', bytes: rawGguf([], [rawTensor('a', [100], 0, 0)], 32), words: /368 bytes are missing/ },
    { name: 'with rows that are no whole blocks', bytes: rawGguf([], [rawTensor('a', [16, 2], 8, 0)], 64), words: /no whole blocks of 32 elements as Q8_0/ },
    { name: 'in types that are not decoded, by name and number', bytes: rawGguf([], [rawTensor('a', [256], 16, 0), rawTensor('b', [256], 99, 256)], 512), words: /IQ2_XXS \(1 tensors\), type 99 \(1 tensors\)/ },
    { name: 'that is part 4 of 3', bytes: rawGguf([rawEntry('split.no', 2, Buffer.from([3, 0])), rawEntry('split.count', 2, Buffer.from([3, 0]))]), words: /part 4 of 3/ },
    { name: 'that is none', bytes: Buffer.alloc(64, 7), words: /does not start with the letters GGUF/ },
    { name: 'of 5 bytes', bytes: Buffer.from('GGUF\u0003'), words: /too short/ },
    { name: 'that is empty', bytes: Buffer.alloc(0), words: /too short/ },
  ])('$name', ({ bytes, words }) =>
    withTemporaryFolder(async (folder) => {
      const path = join(folder, 'a.gguf');
      await writeFile(path, bytes);
      await expect(openGguf(path)).rejects.toThrow(words);
      await expect(openCheckpoint(path)).rejects.toThrow(words);
    }));

  it('whose settings are numbers beyond every model, or lists of them', () =>
    withTemporaryFolder(async (folder) => {
      const path = join(folder, 'a.gguf');
      const architecture = rawEntry('general.architecture', 8, le.text('llama'));
      const huge = rawEntry('llama.block_count', 10, le.u64(2n ** 60n));
      const list = rawEntry('llama.embedding_length', 9, le.u32(9), le.u64(1), le.u32(10), le.u64(1), le.u64(2n ** 60n));
      await writeFile(path, rawGguf([architecture, huge, list]));
      await expect(openCheckpoint(path)).rejects.toThrow(/block_count as "?1152921504606846976"?; expected/);
      await expect(openCheckpoint(path)).rejects.toThrow(/embedding_length as .*1152921504606846976/);
    }));

  it('that is byte-swapped (case 13), and one of version 1, by name', () =>
    withTemporaryFolder(async (folder) => {
      const path = join(folder, 'a.gguf');
      const bytes = rawGguf([]);
      bytes.writeUInt32BE(3, 4);
      await writeFile(path, bytes);
      await expect(openGguf(path)).rejects.toThrow(/byte-swapped/);
      bytes.writeUInt32LE(1, 4);
      await writeFile(path, bytes);
      await expect(openGguf(path)).rejects.toThrow(/version 1; versions 2 and 3/);
    }));
});

describe('A GGUF file that holds something else than a plain model is refused by name:', () => {
  const text = (key: string, value: string): Buffer => rawEntry(key, 8, le.text(value));
  const number = (key: string, value: number): Buffer => rawEntry(key, 4, le.u32(value));
  it.each([
    { name: 'an architecture that is not known', entries: [text('general.architecture', 'mamba')], words: /the architecture "mamba", which this program does not know; it knows llama/ },
    { name: 'no architecture at all', entries: [text('general.name', 'x')], words: /names no architecture; expected one of llama/ },
    { name: 'a mixture of experts', entries: [text('general.architecture', 'llama'), number('llama.block_count', 1), number('llama.expert_count', 8)], words: /a mixture of experts \(8 of them/ },
    { name: 'a mixture of experts of an architecture of its own', entries: [text('general.architecture', 'qwen2moe'), number('qwen2moe.expert_count', 60)], words: /"qwen2moe" is a mixture of experts \(60 of them/ },
    { name: 'an adapter', entries: [text('general.architecture', 'llama'), text('general.type', 'adapter'), text('adapter.type', 'lora')], words: /an adapter \(LoRA\)/ },
  ])('$name', ({ entries, words }) =>
    withTemporaryFolder(async (folder) => {
      const path = join(folder, 'a.gguf');
      await writeFile(path, rawGguf(entries, [rawTensor('blk.0.ffn_gate_exps.weight', [4], 0, 0)], 32));
      const error = await openCheckpoint(path).then(() => null, (cause: unknown) => cause);
      expect(error).toBeInstanceOf(UnsupportedError);
      expect(error).toMatchObject({ message: expect.stringMatching(words) as unknown, hint: expect.any(String) as unknown });
      // One reason, without the settings and tensors that such a file has not.
      expect(String(error)).not.toContain('\n');
    }));
});
