/**
 * Measures what gradients in 8 bits do to training: the same LoRA steps with and without, on the real model and the
 * bundled ids. `node scripts/measure-int8.mjs [STEPS]`; 200 steps take about half an hour on two cores.
 */
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'vite';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const OUT = join(ROOT, 'out/measure-int8');

await build({
  root: ROOT,
  configFile: false,
  logLevel: 'error',
  build: { ssr: join(ROOT, 'scripts/measure-int8/run.ts'), outDir: OUT, emptyOutDir: true, target: 'node20.18' },
});
const { measureInt8 } = await import(pathToFileURL(join(OUT, 'run.js')).href);
await measureInt8(join(ROOT, 'tests/data/smollm2'), Number(process.argv[2] ?? 200));
