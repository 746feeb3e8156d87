/** The devices that the runtime can compute on: the settings that it wants for each, and its errors in words. Knows no graph. */
import type { InferenceSession } from 'onnxruntime-node';
import type { DeviceName } from '../graph/op-rule';
import { SessionError } from '../support/errors';

export const DEVICE_NAMES = ['cpu', 'webgpu'] as const satisfies readonly DeviceName[];

/** What people call a device. */
export const DEVICE_LABELS: Readonly<Record<DeviceName, string>> = {
  cpu: 'the processor',
  webgpu: 'the graphics card',
};

/** How weights are kept: given from our memory at each run, or left on the device in a type. */
export type WeightKeeping = 'host' | 'float32' | 'float16';

/**
 * The ways of keeping weights that suit each device, the best first; the first that works is taken. The CPU shares our
 * memory, so that any copy is a waste. Others have memory of their own, often little, and half of it is enough: they
 * compute in float32 all the same.
 */
export const WEIGHT_KEEPINGS: Readonly<Record<DeviceName, readonly WeightKeeping[]>> = {
  cpu: ['host'],
  webgpu: ['float16', 'float32', 'host'],
};

/**
 * The runtime's settings for one session. `strict` forbids it to compute what a device lacks on the CPU: it then
 * refuses the graph. Results named in `kept` stay on the device.
 */
export function runtimeOptions(
  device: DeviceName,
  { threads, strict = false, quiet = false }: { readonly threads: number; readonly strict?: boolean; readonly quiet?: boolean },
  kept: ReadonlySet<string>,
): InferenceSession.SessionOptions {
  return {
    executionProviders: [device],
    ...(device !== 'cpu' && kept.size > 0 && { preferredOutputLocation: Object.fromEntries([...kept].map((name) => [name, 'gpu-buffer' as const])) }),
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    enableMemPattern: false,
    // Without strict the runtime warns of each node that it leaves on the CPU; 3 keeps errors alone, 4 what is fatal.
    logSeverityLevel: quiet ? 4 : 3,
    extra: {
      session: {
        // Threads that spin on take the cores from everything else on the machine, the window included; those that never
        // do are woken for every operator. A tenth of a millisecond bridges most gaps between two operators.
        intra_op: { allow_spinning: '1', spin_duration_us: '100' },
        disable_cpu_ep_fallback: strict && device !== 'cpu' ? '1' : '0',
      },
    },
  };
}

/** What the runtime's own messages mean, by what occurs in them. */
const EXPLANATIONS: readonly (readonly [pattern: RegExp, words: string])[] = [
  [/get a WebGPU adapter/i, 'no graphics driver was found that it can use'],
  [/fallback to CPU EP has been explicitly disabled/i, 'it lacks an operator that is needed'],
  [/device (was|is) lost|device lost/i, 'the graphics driver stopped or was restarted'],
  [/out of memory|failed to allocate|larger than the maximum|exceeds the max|max\w*BufferBindingSize/i, 'its memory does not suffice'],
  [/backend not found|no available backend|not (supported|enabled) in this build|unknown .*provider/i, 'this build of the program has no support for it'],
];

/** Why a device failed, as part of a sentence for people; the runtime's own words where they are none that we know. */
export function explainDeviceError(error: unknown): string {
  const message = messageOf(error instanceof SessionError ? error.cause : error);
  const known = EXPLANATIONS.find(([pattern]) => pattern.test(message));
  if (known !== undefined) return known[1];
  const [line = ''] = (message.split('Status Message: ').at(-1) ?? message).split('\n');
  const withoutPlace = line.replace(/^\S+\.(cc|cpp|h):\d+ \S+ /, '');
  return `it reports "${withoutPlace.trim().slice(0, 200)}"`;
}

/** What a user is told when the CPU takes over from a device that failed. */
export function takeOverNote(device: DeviceName, error: unknown): string {
  return `Computing on ${DEVICE_LABELS[device]} did not work: ${explainDeviceError(error)}. ${sentence(DEVICE_LABELS.cpu)} takes over.`;
}

/** The text of anything thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Words as the beginning of a sentence. */
export function sentence(words: string): string {
  return words.charAt(0).toUpperCase() + words.slice(1);
}
