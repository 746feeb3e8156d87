/** All tests that run without a window; those in tests/e2e drive the real program by Playwright. */
import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vitest/config';

// Vitest groups the errors that it prints by Map.groupBy, which Node has from 21 on; under Node 20 it would crash instead.
if (!('groupBy' in Map)) {
  Object.defineProperty(Map, 'groupBy', {
    value: <Item, Key>(items: Iterable<Item>, keyOf: (item: Item, index: number) => Key): Map<Key, Item[]> => {
      const groups = new Map<Key, Item[]>();
      let index = 0;
      for (const item of items) {
        const key = keyOf(item, index++);
        groups.set(key, [...(groups.get(key) ?? []), item]);
      }
      return groups;
    },
  });
}

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
