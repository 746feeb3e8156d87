/** Sessions of many lengths: which stay, and when the others give their memory up. */
import { afterEach, describe, expect, it } from 'vitest';
import { SessionShelves } from '../../../main/engine/execution/session-shelves';
import { GraphBuilder } from '../../../main/engine/graph/builder';
import { float32, Session } from '../../../main/engine/runtime/session';

describe('session shelves', () => {
  const shelves = new SessionShelves();
  afterEach(() => shelves.dispose());

  const create = (): Promise<Session> => {
    const builder = new GraphBuilder();
    return Session.create(builder.build('double', [builder.multiply(builder.input('x', ['N']), builder.scalar(2), 'y')]), { threads: 1 });
  };
  const get = (length: number | null): Promise<Session> => shelves.session(length, 'double', create);
  const works = async (session: Session): Promise<boolean> => {
    try {
      return (await session.run(new Map([['x', float32(Float32Array.of(3), [1])]]))).get('y')?.data[0] === 6;
    } catch {
      return false;
    }
  };

  it('keep those of the two lengths used last and those for any length, and dispose the others', async () => {
    const [any, first, second] = [await get(null), await get(1), await get(2)];
    expect(await get(1)).toBe(first);
    const third = await get(3);
    expect(await Promise.all([any, first, second, third].map(works))).toEqual([true, true, false, true]);
    expect(await get(null)).toBe(any);
    expect(await get(1)).toBe(first);
    const again = await get(2);
    expect(again).not.toBe(second);
    expect(await works(again)).toBe(true);
    expect(await works(third)).toBe(false);
  });

  it('make one session for two who ask at once', async () => {
    const [one, other] = await Promise.all([get(1), get(1)]);
    expect(one).toBe(other);
  });

  it('dispose everything at the end', async () => {
    const [any, first] = [await get(null), await get(1)];
    await shelves.dispose();
    expect(await Promise.all([any, first].map(works))).toEqual([false, false]);
  });
});
