/** `shear export`: writes a model, or the result of a run, in another format. */
import { existsSync } from 'node:fs';
import { basename } from 'node:path';
import { exportCheckpoint } from '../../engine/jobs/export-request';
import { exportRun } from '../../engine/jobs/export-run';
import { RunFolder } from '../../engine/jobs/run-folder';
import { UsageError } from '../../engine/support/errors';
import type { Command } from '../command';
import { exportTarget, FORMATS } from '../recipe-options';
import { asBytes } from '../words';

export const exportCommand: Command = {
  name: 'export',
  summary: 'Write a model, or the result of a run, in another format',
  usage: ['MODEL_OR_RUN --format safetensors|gguf|onnx [--dtype TYPE] --out PATH'],
  options: { format: { type: 'string' }, dtype: { type: 'string' }, out: { type: 'string' } },
  help: [
    { usage: '--format F', about: 'safetensors (a folder, for transformers and vLLM) gguf (a file, for llama.cpp, LM Studio, Jan, Ollama) or onnx (a folder, for ONNX Runtime and onnxruntime-genai)' },
    { usage: '--dtype D', about: 'F16 (the default), F32 or BF16; GGUF also Q8_0, Q6_K, Q5_K_M, Q5_K_S, Q5_1, Q5_0, Q4_K_M, Q4_K_S, Q4_1, Q4_0; ONNX F32, F16 or INT4' },
    { usage: '--out PATH', about: 'what to write: a folder that does not exist yet, or a .gguf file' },
  ],
  notes: ['MODEL_OR_RUN is a model, or the name of a run as "shear runs" lists it. The file is opened again and compared.'],
  async run(args, context) {
    const [given] = args.positions;
    const path = args.onePath('MODEL_OR_RUN');
    const format = args.choice('format', FORMATS);
    if (format === undefined) throw new UsageError('--format is missing.', { hint: 'Choose safetensors, gguf or onnx.' });
    const target = exportTarget(format, args.text('dtype'));
    const out = args.path(args.required('out'));
    const options = { target, out, threads: context.threads, signal: context.signal, onProgress: context.progress('Writing and checking') };
    const run = existsSync(path) ? RunFolder.at(path) : RunFolder.find(context.runsFolder, given ?? basename(path));
    const exported = run === null ? await exportCheckpoint(path, options) : await exportRun(run, options);
    return {
      json: exported,
      text: [
        ...exported.files.map((file) => `${file.path}  ${asBytes(file.bytes)}`),
        ...exported.notes.map((note) => `Note: ${note}`),
        'Opened again and compared: its answers agree with the model that it was written from.',
      ].join('\n'),
    };
  },
};
