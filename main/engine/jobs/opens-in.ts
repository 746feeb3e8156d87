/** Which programs open a result, as a table: told before pruning. Facts were tried or read in the programs named. */
import type { ExportTarget, Mode } from '../../../preload/contract/recipe';
import type { OpensIn } from '../../../preload/contract/run';
import type { ModelConfig } from '../model/config';
import { perLayerGgufFor } from '../model/families/index';

interface Row {
  readonly program: string;
  readonly format: ExportTarget['format'];
  readonly mode: Mode;
  readonly opens: boolean;
  readonly note: string;
}

const GGUF_PROGRAMS = ['llama.cpp', 'LM Studio', 'Jan', 'Ollama'] as const;

const ROWS: readonly Row[] = [
  ...GGUF_PROGRAMS.flatMap((program): Row[] => [
    { program, format: 'gguf', mode: 'everywhere', opens: true, note: 'Opens like the original.' },
    {
      program, format: 'gguf', mode: 'quality', opens: true,
      note: 'Opens in versions from 2025 on: the file is written as the "deci" architecture, which allows a width per layer.',
    },
    { program, format: 'safetensors', mode: 'everywhere', opens: false, note: 'Reads GGUF files: choose GGUF.' },
    { program, format: 'safetensors', mode: 'quality', opens: false, note: 'Reads GGUF files: choose GGUF.' },
  ]),
  { program: 'transformers', format: 'safetensors', mode: 'everywhere', opens: true, note: 'Opens like the original.' },
  {
    program: 'transformers', format: 'safetensors', mode: 'quality', opens: true,
    note: 'Opens with trust_remote_code=True: a short model description in Python lies in the folder.',
  },
  { program: 'transformers', format: 'gguf', mode: 'everywhere', opens: true, note: 'Opens with gguf_file=…, unpacked to full size.' },
  { program: 'transformers', format: 'gguf', mode: 'quality', opens: false, note: 'Does not know a width per layer in GGUF: choose safetensors.' },
  { program: 'vLLM', format: 'safetensors', mode: 'everywhere', opens: true, note: 'Opens like the original.' },
  { program: 'vLLM', format: 'safetensors', mode: 'quality', opens: false, note: 'Needs the same widths in every layer: choose "opens everywhere".' },
  { program: 'vLLM', format: 'gguf', mode: 'everywhere', opens: false, note: 'Choose safetensors for it.' },
  { program: 'vLLM', format: 'gguf', mode: 'quality', opens: false, note: 'Choose safetensors and "opens everywhere" for it.' },
  ...(['everywhere', 'quality'] as const).flatMap((mode): Row[] => [
    { program: 'ONNX Runtime', format: 'onnx', mode, opens: true, note: 'Opens model.onnx; tried with versions 1.30 and 1.32.' },
    { program: 'onnxruntime-genai', format: 'onnx', mode, opens: true, note: 'Opens the folder; tried with version 0.18.' },
    ...GGUF_PROGRAMS.map((program): Row => ({ program, format: 'onnx', mode, opens: false, note: 'Reads GGUF files: choose GGUF.' })),
    ...['transformers', 'vLLM'].map((program): Row => ({ program, format: 'onnx', mode, opens: false, note: 'Choose safetensors for it.' })),
  ]),
];

/** What each program makes of a model of these blocks in this mode and file type. */
export function programsThatOpen(mode: Mode, target: ExportTarget, config: ModelConfig): OpensIn[] {
  const perLayer = perLayerGgufFor(config);
  const isImpossible = mode === 'quality' && target.format === 'gguf' && perLayer === null;
  return ROWS.filter((row) => row.mode === mode && row.format === target.format).map(({ program, opens, note }) => {
    if (!isImpossible || !opens) return { program, opens, note: note.replace('"deci"', `"${perLayer?.architecture ?? 'deci'}"`) };
    return { program, opens: false, note: 'Knows no width per layer for this kind of model in GGUF: choose "opens everywhere" or safetensors.' };
  });
}
