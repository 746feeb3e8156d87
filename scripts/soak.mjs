/**
 * Trains a small generated model for many steps whose batches all differ, and watches the memory of the process.
 * `node scripts/soak.mjs [--steps 500] [--tiny] [--json]`; fails where memory
 * grows by more than a tenth after the first fifth of the steps. `--tiny` repeats the same few shapes, to be quick.
 */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'vite';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
/** Growth of the mean from the second fifth of the steps to the last that still counts as flat: memory pools that fragment. */
const MOST_GROWTH = 0.1;
/**
 * The C library of Linux keeps freed blocks of up to 32 MB. Told to give back those from 128 KB on, the process holds
 * what the program holds. A value from outside wins: 33554432 is nearest to the library's own way.
 */
const allocator = { MALLOC_MMAP_THRESHOLD_: '131072' };

const tiny = { layers: 2, hidden: 32, heads: 4, kvHeads: 2, headDim: 8, ffn: 48, vocabulary: 128, tied: true, rank: 2, longest: 1200, repeat: 12 };
const small = { layers: 4, hidden: 128, heads: 4, kvHeads: 2, headDim: 32, ffn: 344, vocabulary: 2048, tied: true, rank: 8, longest: 1500, repeat: 0 };

const args = process.argv.slice(2);
const asJson = args.includes('--json');
const at = args.indexOf('--steps');
const steps = at < 0 ? 500 : Number(args[at + 1]);
if (!Number.isInteger(steps) || steps < 20) throw new Error('--steps wants a whole number of at least 20.');
const model = args.includes('--tiny') ? tiny : small;

const out = join(ROOT, 'out/soak');
await build({
  root: ROOT,
  configFile: false,
  logLevel: 'error',
  build: { ssr: join(ROOT, 'scripts/soak/run.ts'), outDir: out, emptyOutDir: true, target: 'node20.18' },
});
const text = execFileSync(process.execPath, ['--expose-gc', join(out, 'run.js'), JSON.stringify({ ...model, steps })], {
  encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'], env: { ...allocator, ...process.env },
});
const { rss, seconds } = JSON.parse(text);
const fifth = Math.floor(steps / 5);
const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
const [early, late] = [mean(rss.slice(fifth, 2 * fifth)), mean(rss.slice(-fifth))];
const growth = late / early - 1;
const isFlat = growth <= MOST_GROWTH;
if (asJson) {
  console.log(JSON.stringify({ steps, early, late, growth, isFlat, most: Math.max(...rss) }));
} else {
  const megabytes = (bytes) => `${Math.round(bytes / 1e6)} MB`;
  for (let part = 0; part < 10; part++) {
    const own = rss.slice(Math.floor((part * steps) / 10), Math.floor(((part + 1) * steps) / 10));
    console.log(`steps up to ${Math.floor(((part + 1) * steps) / 10)}: mean ${megabytes(mean(own))}, most ${megabytes(Math.max(...own))}`);
  }
  console.log(`${steps} steps in ${Math.round(seconds)} s; from the second fifth to the last ${(100 * growth).toFixed(1)}% (${megabytes(early)} to ${megabytes(late)}): ${isFlat ? 'flat' : 'GROWS'}`);
}
process.exitCode = isFlat ? 0 : 1;
