/** All tests that run without a window; those in tests/e2e drive the real program by Playwright. */
import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  plugins: [svelte({ configFile: 'svelte.config.js' })],
  // State classes of the window use the browser build of Svelte's runes.
  resolve: { conditions: ['browser'] },
  test: {
    include: ['tests/**/*.test.ts'],
    exclude: ['tests/e2e/**', 'tests/peers/**', 'tests/bench/**'],
    environment: 'node',
    // onnxruntime in worker threads is known to crash; processes also keep one test's memory from the next.
    pool: 'forks',
    testTimeout: 60_000,
  },
});
