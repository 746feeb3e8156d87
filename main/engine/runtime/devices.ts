/** Says what this machine can compute on, found out by computing: a driver that is listed may still fail, or be wrong. */
import { listSupportedBackends } from 'onnxruntime-node';
import { GraphBuilder } from '../graph/builder';
import type { Graph } from '../graph/graph';
import type { DeviceName } from '../graph/op-rule';
import { DEVICE_LABELS, DEVICE_NAMES, explainDeviceError, messageOf } from './device-options';
import { float32, float32Data, Session } from './session';

/** Something to compute on. */
export type Device = {
  readonly name: DeviceName;
  /** What people call it. */
  readonly label: string;
} & (
  | { readonly usable: true }
  /** `reason` is a sentence for people, `cause` the runtime's own words where there are any. */
  | { readonly usable: false; readonly reason: string; readonly cause?: string }
);

/** Sizes of the trial: more than one tile of a matrix product, and no power of two. */
const [ROWS, INNER, COLUMNS] = [35, 70, 45];
/** Largest difference of its results, which lie between 0 and 1, that rounding in float32 explains. */
const TRIAL_TOLERANCE = 1e-4;

/**
 * All devices that this program knows, usable or not; the CPU comes first. Each other one computes a small graph,
 * which is compared with the CPU's: about a second where a driver starts for the first time. Throws nothing.
 */
export async function listDevices(): Promise<Device[]> {
  const bundled = new Set(listSupportedBackends().flatMap(({ name, bundled }) => (bundled ? [name] : [])));
  const devices: Device[] = [];
  for (const name of DEVICE_NAMES) devices.push(await tryDevice(name, bundled.has(name)));
  return devices;
}

async function tryDevice(name: DeviceName, bundled: boolean): Promise<Device> {
  const label = DEVICE_LABELS[name];
  if (name === 'cpu') return { name, label, usable: true };
  const unusable = (why: string, cause?: string): Device => {
    const reason = `Shear cannot compute on ${label} here: ${why}.`;
    return { name, label, usable: false, reason, ...(cause === undefined ? {} : { cause }) };
  };
  if (!bundled) return unusable('this build of the program has no support for it');
  try {
    const own = await compute(name);
    const expected = await compute('cpu');
    const isClose = own.every((value, index) => Math.abs(value - (expected[index] ?? Number.NaN)) <= TRIAL_TOLERANCE);
    return isClose ? { name, label, usable: true } : unusable('it computed a small example wrongly; a newer graphics driver may help');
  } catch (error) {
    return unusable(explainDeviceError(error), messageOf(error));
  }
}

/** softmax(A B) of a fixed A and B, wholly on the device. */
async function compute(device: DeviceName): Promise<Float32Array> {
  const session = await Session.create(trialGraph(), { threads: 1, device, strict: true });
  try {
    const waves = (count: number): Float32Array => Float32Array.from({ length: count }, (_, index) => Math.sin(index));
    const feeds = new Map([
      ['left', float32(waves(ROWS * INNER), [ROWS, INNER])],
      ['right', float32(waves(INNER * COLUMNS), [INNER, COLUMNS])],
    ]);
    return float32Data((await session.run(feeds)).get('shares'), 'shares');
  } finally {
    await session.dispose();
  }
}

function trialGraph(): Graph {
  const builder = new GraphBuilder();
  const product = builder.matmul(builder.input('left', [ROWS, INNER]), builder.input('right', [INNER, COLUMNS]));
  return builder.build('device.trial', [builder.apply('Softmax', [product], {}, 'shares')]);
}
