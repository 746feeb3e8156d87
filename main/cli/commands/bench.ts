/** `shear bench`: how fast the engine is on this machine, alone or beside another program. */
import { BENCH_DEFAULTS, defaultBenchModel, runBench, type BenchResult, type BenchSide } from '../../engine/jobs/bench/bench';
import { BENCH_WORKS, type BenchWork } from '../../engine/jobs/bench/job';
import { runImportBench } from '../../engine/jobs/bench/import';
import { BENCH_PEERS } from '../../engine/jobs/bench/peers';
import { serveBench } from '../../engine/jobs/bench/serve';
import { exampleModel } from '../../engine/jobs/bundled';
import { modelNameOf } from '../../engine/jobs/model-name';
import { UsageError } from '../../engine/support/errors';
import type { Arguments } from '../arguments';
import type { Command, CommandContext, Outcome } from '../command';
import { startOf } from '../launch';
import { asBytes, asCount, asFigure, asPercent, columns } from '../words';

const DEFAULT_ROUNDS = 5;

const BUSY_WARNING =
  'Other work was running, so these figures are rough. Peers whose threads wait by spinning lose most by it: only with --threads 1 are tokens per CPU-second comparable now.';

const WORK_WORDS: Readonly<Record<BenchWork, string>> = {
  step: 'LoRA training steps',
  forward: 'forward passes',
  generate: 'tokens written one by one',
};

export const bench: Command = {
  name: 'bench',
  summary: 'Measure how fast this program works here, beside others if you like',
  usage: ['step|forward|generate [--model MODEL] [--against pytorch|llama.cpp]', 'import [--model FOLDER]'],
  options: {
    model: { type: 'string' }, against: { type: 'string' }, batch: { type: 'string' }, length: { type: 'string' }, rounds: { type: 'string' }, int8: { type: 'boolean' }, memory: { type: 'string' },
    // Not in the help: how the command starts itself as one of the two sides.
    serve: { type: 'string' },
  },
  help: [
    { usage: '--model MODEL', about: 'the model; SmolLM2 if `npm run real-model` installed it, else the example' },
    { usage: '--against PEER', about: 'the program to take turns with: pytorch for step and forward, llama.cpp for generate' },
    { usage: '--batch B', about: `sequences at a time; ${BENCH_DEFAULTS.step.batch} for step, ${BENCH_DEFAULTS.forward.batch} for forward unless given` },
    { usage: '--length T', about: `tokens of each: ${BENCH_DEFAULTS.step.length}, ${BENCH_DEFAULTS.forward.length}; for generate new tokens: ${BENCH_DEFAULTS.generate.length}` },
    { usage: '--int8', about: 'for step: let gradients flow in 8 bits, as recovery does where the processor is good at it' },
    { usage: '--memory SIZE', about: 'let this program use at most this much memory, for example 4GB: it then computes again, takes fewer sequences at once or reads layers from the file' },
    { usage: '--rounds N', about: `measured turns of each side; ${DEFAULT_ROUNDS} unless given` },
  ],
  notes: ['"bench import" measures how a safetensors folder is inspected, rewritten and cut, beside plain copies of its files.', '`npm run peers -- install` installs the peers, in a checkout of the repository. Figures are medians over the rounds.'],
  async run(args, context) {
    const served = args.text('serve');
    if (served !== undefined) {
      await serveBench(args.path(served), { input: process.stdin, output: process.stdout, signal: context.signal });
      return { json: {}, text: '' };
    }
    if (args.positions[0] === 'import') return importOutcome(args, context);
    const work = workOf(args);
    const { batch, length } = BENCH_DEFAULTS[work];
    const chosen = args.number('batch', { least: 1, most: 4096, whole: true });
    if (work === 'generate' && chosen !== undefined && chosen !== 1) throw new UsageError('"bench generate" writes one text at a time: leave out --batch.');
    const model = args.text('model');
    const result = await runBench({
      work,
      model: model === undefined ? defaultBenchModel() : args.path(model),
      against: args.choice('against', BENCH_PEERS) ?? null,
      threads: context.threads,
      batch: chosen ?? batch,
      length: args.number('length', { least: 2, most: 1_000_000, whole: true }) ?? length,
      rounds: args.number('rounds', { least: 1, most: 1000, whole: true }) ?? DEFAULT_ROUNDS,
      int8: int8Of(args, work),
      memoryLimitBytes: context.memoryLimitBytes,
      self: [process.execPath, ...process.execArgv, ...startOf(process.argv).slice(1), 'bench', work, '--json', '--serve'],
      signal: context.signal,
      onProgress: context.progress('Measuring'),
    });
    return outcome(result);
  },
};

function int8Of(args: Arguments, work: BenchWork): boolean {
  const int8 = args.flag('int8');
  if (int8 && work !== 'step') throw new UsageError(`"bench ${work}" computes no gradients: leave out --int8.`);
  return int8;
}

/** How checkpoints go in and out, beside plain copies of their files. */
async function importOutcome(args: Arguments, context: CommandContext): Promise<Outcome> {
  const model = args.text('model');
  const result = await runImportBench({
    model: model === undefined ? exampleModel() : args.path(model),
    rounds: args.number('rounds', { least: 1, most: 1000, whole: true }) ?? 1,
    signal: context.signal,
    onProgress: context.progress('Measuring'),
  });
  const speed = (bytesPerSecond: number): string => `${asCount(Math.round(bytesPerSecond / 1e6))} MB/s`;
  const table = columns([
    ['', 'speed', 'of copying', 'peak memory so far'],
    ['plain copy', speed(result.copyBytesPerSecond), '1.00', ''],
    ...result.works.map((work) => [work.name, speed(work.bytesPerSecond), work.ofCopy.toFixed(2), asBytes(work.peakBytes)]),
  ]);
  const inspected = `Inspected in ${result.inspectSeconds.toFixed(2)} s with ${asBytes(result.inspectPeakBytes)} of memory.`;
  return { json: result, text: [`${modelNameOf(result.model)}: ${asBytes(result.bytes)} of weights in ${asCount(result.files)} files`, inspected, '', table].join('\n') };
}

function workOf(args: Arguments): BenchWork {
  const [word, more] = args.positions;
  const work = BENCH_WORKS.find((one) => one === word);
  if (work === undefined || more !== undefined) {
    const found = args.positions.join(' ');
    throw new UsageError(`"bench" needs one of ${BENCH_WORKS.join(', ')}; found ${found === '' ? 'none' : `"${found}"`}.`, { hint: 'Add --help to see how the command is used.' });
  }
  return work;
}

function wayWords({ work, batch, way }: BenchResult): string {
  const { recompute, microBatch, streamed } = way;
  return [
    streamed ? 'layers read from the file each time' : 'all weights in memory',
    ...(work === 'step' ? [recompute ? 'blocks computed again' : 'inner values saved'] : []),
    ...(work === 'generate' || microBatch === batch ? [] : [`${asCount(microBatch)} of ${asCount(batch)} sequences at once`]),
  ].join(', ');
}

function outcome(result: BenchResult): Outcome {
  const { work, ours, peer, ratio, gemm, load } = result;
  const row = (name: string, cell: (side: BenchSide) => string, quotient?: number): string[] => [
    name, cell(ours), ...(peer === null ? [] : [cell(peer), quotient === undefined ? '' : quotient.toFixed(2)]),
  ];
  const table = columns([
    ['', ours.name, ...(peer === null ? [] : [peer.name, 'ratio'])],
    row('Tokens per CPU-second', (side) => asFigure(side.tokensPerCpuSecond), ratio?.tokensPerCpuSecond),
    row('Tokens per second', (side) => asFigure(side.tokensPerSecond), ratio?.tokensPerSecond),
    row('Peak memory', (side) => asBytes(side.peakBytes), ratio?.peakBytes),
    row('Share of the GEMM peak', (side) => asPercent(side.gemmShare)),
    row('Seconds from opening to the first', (side) => asFigure(side.secondsToFirst)),
    ...(work === 'generate' ? [] : [row('Loss of the first', (side) => String(side.firstLoss?.toFixed(6)))]),
  ]);
  const size = work === 'generate' ? `${asCount(result.length)} new tokens` : `${asCount(result.batch)} x ${asCount(result.length)} tokens`;
  const giga = (flops: number): string => asFigure(flops / 1e9);
  return {
    json: result,
    text: [
      `${modelNameOf(result.model)}: ${WORK_WORDS[work]}, ${size}, ${asCount(result.threads)} threads, medians of ${asCount(ours.rounds.length)} rounds`,
      '',
      table,
      '',
      ...(result.sameIds === null ? [] : [`Both wrote the same first ${asCount(result.sameIds.same)} of ${asCount(result.sameIds.of)} tokens.`]),
      `GEMM peak [${gemm.shape.join(' x ')}]: ${giga(gemm.flopsPerCpuSecond)} GFLOP per CPU-second, ${giga(gemm.flopsPerSecond)} GFLOP per second. One turn needs ${giga(result.flops)} GFLOP.`,
      `Way: ${wayWords(result)}. ${asBytes(result.way.peakBytes)} of memory were expected.`,
      `Read from the model's files: ${asBytes(ours.bytesReadToFirst)} until the end of the first, ${asBytes(ours.bytesRead)} in each turn after it.`,
      `Load of the machine: ${load.before.toFixed(2)} before, ${load.after.toFixed(2)} after.`,
      ...(result.isBusy ? [BUSY_WARNING] : []),
    ].join('\n'),
  };
}
