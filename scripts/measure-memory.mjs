/**
 * Measures the peak memory of training beside what was estimated for it, each combination of model and batch in a
 * process of its own, with generated weights. `node scripts/measure-memory.mjs [names...] [--json]`; all in a few minutes.
 */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'vite';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const OUT = join(ROOT, 'out/measure-memory');

const small = { layers: 2, hidden: 64, heads: 4, kvHeads: 2, headDim: 16, ffn: 172, vocabulary: 512, tied: true, rank: 8, steps: 4 };
const middle = { layers: 6, hidden: 288, heads: 6, kvHeads: 6, headDim: 48, ffn: 768, vocabulary: 32000, tied: true, rank: 8, steps: 3 };
const smol135 = { layers: 30, hidden: 576, heads: 9, kvHeads: 3, headDim: 64, ffn: 1536, vocabulary: 49152, tied: true, rank: 8, steps: 2 };
const smol360 = { layers: 32, hidden: 960, heads: 15, kvHeads: 5, headDim: 64, ffn: 2560, vocabulary: 49152, tied: true, rank: 8, steps: 2 };
const wide = { layers: 4, hidden: 1024, heads: 16, kvHeads: 8, headDim: 64, ffn: 3072, vocabulary: 151936, tied: false, rank: 16, steps: 2 };

const combinations = {
  'tiny 1x32': { ...small, batch: 1, length: 32 },
  'tiny 8x256': { ...small, batch: 8, length: 256 },
  'tiny 2x2048': { ...small, batch: 2, length: 2048, steps: 2 },
  '20M 4x128': { ...middle, batch: 4, length: 128 },
  '20M 8x256': { ...middle, batch: 8, length: 256 },
  '20M 1x1024': { ...middle, batch: 1, length: 1024 },
  '20M 16x64 r64': { ...middle, batch: 16, length: 64, rank: 64 },
  '135M 1x128': { ...smol135, batch: 1, length: 128 },
  '135M 4x256': { ...smol135, batch: 4, length: 256 },
  '135M 4x512': { ...smol135, batch: 4, length: 512 },
  '135M 1x1024': { ...smol135, batch: 1, length: 1024 },
  '350M 1x256': { ...smol360, batch: 1, length: 256 },
  '350M 4x128': { ...smol360, batch: 4, length: 128 },
  '135M 4x256 gates': { ...smol135, batch: 4, length: 256, gates: true },
  '135M 4x512 recompute': { ...smol135, batch: 4, length: 512, recompute: true },
  '135M 1x4096 recompute': { ...smol135, batch: 1, length: 4096, recompute: true, steps: 1 },
  '350M 4x256 recompute': { ...smol360, batch: 4, length: 256, recompute: true },
  'wide 2x256': { ...wide, batch: 2, length: 256 },
  '135M 4x256 streamed': { ...smol135, batch: 4, length: 256, recompute: true, streamed: true },
  '350M 4x256 streamed': { ...smol360, batch: 4, length: 256, recompute: true, streamed: true },
  'wide 2x256 streamed': { ...wide, batch: 2, length: 256, recompute: true, streamed: true },
};

const args = process.argv.slice(2);
const names = args.filter((argument) => !argument.startsWith('--'));
const asJson = args.includes('--json');

await build({
  root: ROOT,
  configFile: false,
  logLevel: 'error',
  build: { ssr: join(ROOT, 'scripts/measure-memory/run.ts'), outDir: OUT, emptyOutDir: true, target: 'node20.18' },
});

const results = [];
for (const [name, combination] of Object.entries(combinations)) {
  if (names.length > 0 && !names.includes(name)) continue;
  const text = execFileSync(process.execPath, [join(OUT, 'run.js'), JSON.stringify(combination)], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
  const result = { name, ...JSON.parse(text) };
  results.push(result);
  if (!asJson) {
    const megabytes = (bytes) => `${Math.round(bytes / 1e6)} MB`;
    console.log(`| ${name} | ${megabytes(result.estimate)} | ${megabytes(result.measured)} | ${(result.estimate / result.measured).toFixed(2)} |`);
    if (args.includes('--parts')) console.log(JSON.stringify({ parts: result.parts, peaks: result.peaks }, (_, value) => (typeof value === 'number' ? Math.round(value / 1e6) : value)));
  }
}
if (asJson) console.log(JSON.stringify(results));
