/** One parser's share of scripts/fuzz.mjs, in a process of its own: so its peak memory is its own, and a crash takes nothing else along. */
import { openSync, readdirSync, readFileSync, readlinkSync, writeSync } from 'node:fs';
import { fuzz } from './fuzz';
import { TARGETS } from './targets';

interface Share {
  readonly parser: string;
  readonly from: number;
  readonly cases: number;
  /** A file that always holds the number of the current case: what is left of a process that hangs or dies. */
  readonly place: string;
}

/** Real files that are open: pipes, timers and the like come and go with the runtime. */
function openFiles(): number {
  const targets = readdirSync('/proc/self/fd').map((name) => {
    try {
      return readlinkSync(`/proc/self/fd/${name}`);
    } catch {
      return '';
    }
  });
  return targets.filter((target) => target.includes('shear-fuzz-')).length;
}

async function run({ parser, from, cases, place }: Share): Promise<void> {
  const target = TARGETS.find(({ name }) => name === parser);
  if (target === undefined) throw new Error(`There is no parser "${parser}".`);
  const file = openSync(place, 'w');
  // A first case opens what stays open: the process's own pools and timers.
  await fuzz(target, { from, cases: 1 });
  const filesBefore = openFiles();
  const startedMs = performance.now();
  const outcome = await fuzz(target, { from, cases, onCase: (index) => writeSync(file, String(index).padStart(12), 0) });
  const seconds = (performance.now() - startedMs) / 1000;
  const peak = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0';
  process.stdout.write(JSON.stringify({ ...outcome, seconds, peakBytes: Number(peak) * 1024, leakedFiles: openFiles() - filesBefore }));
}

await run(JSON.parse(process.argv[2] ?? '') as Share);
