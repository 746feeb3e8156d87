/** Copies arrays of ours to the device that sessions compute on, as float32 or float16, to stay there. */
import { GraphBuilder } from '../graph/builder';
import type { Graph } from '../graph/graph';
import { InternalError } from '../support/errors';
import { ResidentTensor } from './resident-tensor';
import { float32, Session, type SessionOptions } from './session';

export type ResidentType = ResidentTensor['type'];

export class Uploader {
  private readonly sessions = new Map<string, Promise<Session>>();

  constructor(private readonly options: SessionOptions) {}

  /**
   * A copy of `data` on the device, whose owner the caller is. `source` gives the same numbers again, should the CPU
   * have to take over; it may throw where they are no longer needed. Throws SessionError if the device has no room.
   */
  async upload(data: Float32Array, shape: readonly number[], type: ResidentType, source: () => Promise<Float32Array>): Promise<ResidentTensor> {
    const key = `${type} ${shape.length}`;
    const session = this.sessions.get(key) ?? Session.create(copyGraph(shape.length, type), this.options, new Set(['copy']));
    this.sessions.set(key, session);
    const made = await copy(await session, data, shape);
    return new ResidentTensor(made.tensor, made.device, type, async () => {
      const onCpu = await Session.create(copyGraph(shape.length, type), { threads: this.options.threads }, new Set(['copy']));
      try {
        return (await copy(onCpu, await source(), shape)).tensor;
      } finally {
        await onCpu.dispose();
      }
    });
  }

  async dispose(): Promise<void> {
    const sessions = await Promise.allSettled(this.sessions.values());
    this.sessions.clear();
    for (const session of sessions) if (session.status === 'fulfilled') await session.value.dispose();
  }
}

async function copy(session: Session, data: Float32Array, shape: readonly number[]): Promise<ResidentTensor> {
  const made = (await session.runKeeping(new Map([['x', float32(data, shape)]]))).kept.get('copy');
  if (made === undefined) throw new InternalError('A copy for the device was not made.');
  return made;
}

function copyGraph(rank: number, type: ResidentType): Graph {
  const builder = new GraphBuilder();
  const input = builder.input('x', Array.from({ length: rank }, (_, axis) => `D${axis}`));
  return builder.build('device.copy', [builder.apply('Cast', [input], { to: type }, 'copy')]);
}
