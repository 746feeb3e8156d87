/** Verifying ONNX folders: alone, against what they were made from, damaged, incomplete, and against another model. */
import { copyFile, cp, mkdtemp, open, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openOnnxFolder } from '../../../main/engine/export/onnx-folder';
import { roundedForOnnx } from '../../../main/engine/export/onnx-types';
import { exampleModel } from '../../../main/engine/jobs/bundled';
import { exportCheckpoint } from '../../../main/engine/jobs/export-request';
import { verifyModel, type Verification } from '../../../main/engine/jobs/verify-model';
import { openCheckpoint } from '../../../main/engine/model/checkpoint';
import { inspectModel } from '../../../main/engine/jobs/inspect';
import { ONNX_DTYPES, type ExportTarget } from '../../../preload/contract/recipe';
import { readAll, writeTinyFolder } from '../../support/tiny-model';

const text = 'Once upon a time there was a little dog. It liked to run in the park, and it had a big red ball. '.repeat(4);
let folder: string;
const at = (name: string): string => join(folder, name);
const verify = (path: string, against?: string): Promise<Verification> => verifyModel(path, { against, text, threads: 1 });
const write = (target: ExportTarget, name: string): Promise<unknown> => exportCheckpoint(exampleModel(), { target, out: at(name), threads: 1 });

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'shear-verify-onnx-'));
  for (const dtype of ONNX_DTYPES) await write({ format: 'onnx', dtype }, dtype);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** A copy of the F32 folder to be damaged. */
async function copy(name: string): Promise<string> {
  await cp(at('F32'), at(name), { recursive: true });
  return at(name);
}

describe('an ONNX folder of ours', () => {
  it.each(ONNX_DTYPES)('as %s is sound alone, and agrees with the model it was made from, whichever is named first', async (dtype) => {
    expect(await verify(at(dtype))).toEqual({ ok: true, differences: [], maxLogitDifference: null, allowedDifference: 0 });
    for (const [one, other] of [[at(dtype), exampleModel()], [exampleModel(), at(dtype)]] as const) {
      const { ok, maxLogitDifference, allowedDifference } = await verify(one, other);
      expect(ok).toBe(true);
      expect(maxLogitDifference).toBeLessThanOrEqual(allowedDifference);
      // Our own blocks are repeated exactly, so that little is allowed beyond what they do.
      expect(allowedDifference).toBeLessThanOrEqual(1.25 * (maxLogitDifference ?? 0) + 0.002);
      if (dtype === 'F32') expect(allowedDifference).toBeLessThanOrEqual(0.002);
      else expect(maxLogitDifference).toBeGreaterThan(0);
    }
  });

  it('agrees with a GGUF file in few bits of the same model, and with a copy of itself', async () => {
    await write({ format: 'gguf', dtype: 'Q4_0' }, 'few.gguf');
    for (const dtype of ONNX_DTYPES) expect(await verify(at(dtype), at('few.gguf')), dtype).toMatchObject({ ok: true });
    expect(await verify(at('INT4'), at('INT4'))).toMatchObject({ ok: true, maxLogitDifference: 0 });
  });

  it('agrees with the same model stored in fewer bits than the one it was written from', async () => {
    for (const dtype of ['F16', 'BF16'] as const) {
      await write({ format: 'safetensors', dtype }, `folder-${dtype}`);
      for (const own of ONNX_DTYPES) expect(await verify(at(own), at(`folder-${dtype}`)), `${own} and ${dtype}`).toMatchObject({ ok: true });
    }
  });

  it('may be named by any file of it', async () => {
    for (const name of ['model.onnx', 'model.onnx.data', 'genai_config.json', 'tokenizer.json']) expect(await verify(join(at('INT4'), name))).toMatchObject({ ok: true });
  });

  it('gives the weights that its number format makes of those it was written from', async () => {
    const source = await openCheckpoint(exampleModel());
    try {
      for (const dtype of ONNX_DTYPES) {
        const opened = await openOnnxFolder(at(dtype));
        try {
          expect(opened).toMatchObject({ type: dtype, vocabulary: 512, hidden: 64, headDim: 8, maxPositions: 512, layers: source.config.layers });
          expect(opened.lacking(source.config)).toEqual([]);
          expect(await readAll(opened.view(source.config))).toEqual(await readAll(roundedForOnnx(source, dtype)));
        } finally {
          await opened.close();
        }
      }
    } finally {
      await source.close();
    }
  });
});

describe('an ONNX folder does not pass', () => {
  it('against a model of the same sizes with other weights', async () => {
    const other = at('other');
    await cp(exampleModel(), other, { recursive: true });
    const weights = join(other, 'model.safetensors');
    const { size } = await stat(weights);
    const file = await open(weights, 'r+');
    await file.write(Buffer.alloc(4096, 0x3f), 0, 4096, size - 4096);
    await file.close();
    for (const dtype of ONNX_DTYPES) {
      const { ok, differences } = await verify(at(dtype), other);
      expect(ok, dtype).toBe(false);
      expect(differences[0]?.what).toBe('logits');
    }
  });

  it('against a model of other sizes, each of which is told', async () => {
    await writeTinyFolder(at('tiny'));
    const { ok, differences } = await verify(at('F16'), at('tiny'));
    expect(ok).toBe(false);
    expect(differences.map(({ what }) => what)).toEqual(expect.arrayContaining(['vocabulary', 'hidden width', 'number of layers']));
  });

  it('against a model of the same sizes that is built differently', async () => {
    const layers = [{ heads: 4, kvHeads: 2, ffn: 24 }];
    await writeTinyFolder(at('plain'), { layers, vocabulary: 512 });
    await writeTinyFolder(at('normed'), { layers, vocabulary: 512, family: 'qwen3' });
    for (const name of ['plain', 'normed']) for (const file of ['tokenizer.json', 'tokenizer_config.json']) await copyFile(join(exampleModel(), file), join(at(name), file));
    await exportCheckpoint(at('plain'), { target: { format: 'onnx', dtype: 'F32' }, out: at('plain-onnx'), threads: 1 });
    const { ok, differences } = await verify(at('plain-onnx'), at('normed'));
    expect(ok).toBe(false);
    expect(differences[0]).toMatchObject({ what: 'weights', message: expect.stringContaining('layers.0.qNorm') as unknown });
  });

  it('with weights that are no numbers', async () => {
    const path = await copy('nan');
    await writeFile(join(path, 'model.onnx.data'), Buffer.alloc((await stat(join(path, 'model.onnx.data'))).size, 0xff));
    const { ok, differences } = await verify(path);
    expect(ok).toBe(false);
    expect(differences[0]?.message).toContain('infinite or not numbers');
  });
});

describe('an ONNX folder is refused in words', () => {
  it.each(['model.onnx', 'model.onnx.data', 'genai_config.json'])('without %s, which is named', async (name) => {
    const path = await copy(`without-${name}`);
    await rm(join(path, name));
    await expect(verify(path)).rejects.toMatchObject({ code: 'not-found', message: expect.stringContaining(`is incomplete: ${name} is missing`) as unknown, hint: expect.stringContaining('Write it once more') as unknown });
  });

  it('without its tokenizer', async () => {
    const path = await copy('mute');
    await rm(join(path, 'tokenizer.json'));
    await expect(verify(path)).rejects.toMatchObject({ code: 'not-found', message: expect.stringContaining('neither tokenizer.json nor tokenizer.model') as unknown });
  });

  it('with weights cut short: bytes expected and found', async () => {
    const path = await copy('short');
    const data = join(path, 'model.onnx.data');
    const { size } = await stat(data);
    await truncate(data, size - 1000);
    await expect(verify(path)).rejects.toMatchObject({ code: 'format', message: expect.stringMatching(new RegExp(`model\\.onnx\\.data should have ${size} bytes.*and has ${size - 1000}`)) as unknown });
  });

  it('with a graph cut short anywhere, or of random bytes', async () => {
    const path = await copy('cut');
    const whole = await readFile(join(path, 'model.onnx'));
    const garbage = Buffer.from(Array.from({ length: 500 }, (_, index) => (index * 97) % 251));
    for (const bytes of [garbage, Buffer.alloc(0), ...[0.02, 0.3, 0.5, 0.9].map((share) => whole.subarray(0, Math.floor(whole.length * share))), whole.subarray(0, -1)]) {
      await writeFile(join(path, 'model.onnx'), bytes);
      await expect(verify(path)).rejects.toMatchObject({ code: expect.stringMatching(/^(format|unsupported)$/) as unknown });
    }
  });

  it('with the settings of another model: what is stated and what should be', async () => {
    const path = await copy('mixed');
    const settings = await readFile(join(path, 'genai_config.json'), 'utf8');
    await writeFile(join(path, 'genai_config.json'), settings.replace('"num_hidden_layers": 5', '"num_hidden_layers": 32'));
    await expect(verify(path)).rejects.toMatchObject({ code: 'format', message: expect.stringContaining('model.decoder.num_hidden_layers is 32 and should be 5') as unknown });
  });

  it('where another program wrote it', async () => {
    const path = await copy('foreign');
    const bytes = await readFile(join(path, 'model.onnx'));
    bytes.write('torch', bytes.indexOf('shear'));
    await writeFile(join(path, 'model.onnx'), bytes);
    await expect(verify(path)).rejects.toMatchObject({ code: 'unsupported', message: expect.stringContaining('it was written by torch') as unknown });
  });

  it('against another ONNX folder of another number format, with the way out', async () => {
    await expect(verify(at('F32'), at('INT4'))).rejects.toMatchObject({ code: 'unsupported', hint: expect.stringContaining('the model that it was made from') as unknown });
  });

  it('where it is to be inspected: no further, and what to open instead', async () => {
    for (const path of [at('F16'), join(at('F16'), 'model.onnx'), join(at('F16'), 'genai_config.json')]) {
      await expect(inspectModel(path)).rejects.toMatchObject({
        code: 'unsupported', message: expect.stringMatching(/holds an ONNX model.*cannot be made smaller any more/) as unknown, hint: expect.stringContaining('Open the model that it was made from') as unknown,
      });
    }
  });

  it('but not where weights lie beside an ONNX model, as on the Hub', async () => {
    await cp(exampleModel(), at('both'), { recursive: true });
    await copyFile(join(at('F32'), 'model.onnx'), join(at('both'), 'model.onnx'));
    expect(await inspectModel(at('both'))).toMatchObject({ parameters: 260032 });
    expect(await verify(at('both'))).toMatchObject({ ok: true });
  });
});
