// llama.cpp's side of `shear bench generate`: node llama-cpp.mjs JOB.json (main/engine/jobs/bench/job.ts), started in
// the folder in which node-llama-cpp is installed. Greedy tokens from a float32 file, with its usual KV cache.
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';

const require = createRequire(`${process.cwd()}/`);
const { getLlama, LlamaLogLevel } = await import(pathToFileURL(require.resolve('node-llama-cpp')).href);

function peakBytes() {
  if (process.platform !== 'linux') return process.resourceUsage().maxRSS * 1024;
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]) * 1024;
}

const job = JSON.parse(await readFile(process.argv[2], 'utf8'));
const [prompt] = job.ids;
const opened = performance.now();
const llama = await getLlama({ gpu: false, build: 'never', skipDownload: true, maxThreads: job.threads, logLevel: LlamaLogLevel.error });
const model = await llama.loadModel({ modelPath: job.model, gpuLayers: 0 });
const context = await model.createContext({ contextSize: prompt.length + job.newTokens, sequences: 1, threads: { ideal: job.threads, min: job.threads } });
const sequence = context.getSequence();

/** The interval begins with the first new token, so that reading the prompt does not count. */
async function work() {
  await sequence.clearHistory();
  const ids = [];
  let start;
  for await (const id of sequence.evaluate(prompt, { temperature: 0, yieldEogToken: true })) {
    ids.push(id);
    start ??= { wallMs: performance.now(), cpu: process.cpuUsage() };
    if (ids.length === job.newTokens) break;
  }
  const seconds = (performance.now() - start.wallMs) / 1000;
  const { user, system } = process.cpuUsage(start.cpu);
  return { ids, interval: { seconds, cpuSeconds: (user + system) / 1e6, amount: ids.length - 1 } };
}

const say = (answer) => process.stdout.write(`${JSON.stringify(answer)}\n`);
const { ids } = await work();
say({ secondsToFirst: (performance.now() - opened) / 1000, loss: null, ids });
for await (const request of createInterface({ input: process.stdin })) if (request === 'work') say({ ...(await work()).interval, peakBytes: peakBytes() });
await llama.dispose();
