import { describe, expect, it } from 'vitest';
import { int8Pays, tryInt8 } from '../../../main/engine/jobs/int8-probe';

describe('the trial of products in 8 bits', () => {
  it('finds them right or wrong, and says how much faster they are', async () => {
    const { isRight, speedup } = await tryInt8();
    expect(typeof isRight).toBe('boolean');
    expect(speedup).toBeGreaterThan(0);
  });

  it('is made once', async () => {
    expect(int8Pays()).toBe(int8Pays());
    expect(typeof (await int8Pays())).toBe('boolean');
  });
});
