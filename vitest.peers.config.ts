/** Comparisons with other programs: run by `npm run peers`, which installs those programs outside the repository. */
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: { include: ['tests/peers/*.peer.ts'], testTimeout: 1_800_000, hookTimeout: 60_000, fileParallelism: false },
});
