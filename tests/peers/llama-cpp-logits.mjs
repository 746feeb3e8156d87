// Log-probabilities of llama.cpp for a sequence of ids: node llama-cpp-logits.mjs MODEL.gguf IDS.json OUT.json
// Runs beside an installation of node-llama-cpp (scripts/peers.mjs), never as part of the product.
import { createRequire } from 'node:module';
import { readFile, writeFile } from 'node:fs/promises';
import { pathToFileURL } from 'node:url';

const require = createRequire(`${process.cwd()}/`);
const { getLlama, LlamaLogLevel } = await import(pathToFileURL(require.resolve('node-llama-cpp')).href);
const [modelPath, idsPath, outPath] = process.argv.slice(2);
const ids = JSON.parse(await readFile(idsPath, 'utf8'));
const llama = await getLlama({ gpu: false, build: 'never', skipDownload: true, logLevel: LlamaLogLevel.error });
const model = await llama.loadModel({ modelPath, gpuLayers: 0 });
const context = await model.createContext({ contextSize: Math.max(256, ids.length), sequences: 1 });
const sequence = context.getSequence();
const results = await sequence.controlledEvaluate(ids.map((id) => [id, { generateNext: { probabilities: true } }]));
// By position: pairs of id and log-probability, likeliest first, as llama.cpp orders them.
const positions = results.map((result) =>
  [...(result?.next?.probabilities ?? new Map())].slice(0, 50).map(([id, share]) => [Number(id), Math.log(share)]),
);
await writeFile(outPath, JSON.stringify({ positions, parameters: model.size, description: model.typeDescription }));
await llama.dispose();
