/** Builds the three worlds: the main process with the engine and the command line, the preload script, the window. */
import { chmod, readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'electron-vite';
import type { Plugin } from 'vite';

const from = (path: string): string => resolve(import.meta.dirname, path);

/** The command line must start by its own name: a first line that names node, and leave to run. */
function executableCommandLine(): Plugin {
  return {
    name: 'executable-command-line',
    async writeBundle({ dir = '' }) {
      const path = join(dir, 'cli.js');
      const code = await readFile(path, 'utf8');
      if (!code.startsWith('#!')) await writeFile(path, `#!/usr/bin/env node\n${code}`);
      await chmod(path, 0o755);
    },
  };
}

export default defineConfig({
  main: {
    plugins: [executableCommandLine()],
    build: {
      outDir: 'out/main',
      target: 'node20.18',
      rolldownOptions: {
        input: { index: from('main/index.ts'), worker: from('main/worker.ts'), cli: from('main/cli.ts') },
        output: { format: 'es', entryFileNames: '[name].js', chunkFileNames: 'chunks/[name]-[hash].js' },
      },
    },
  },
  preload: {
    build: {
      outDir: 'out/preload',
      target: 'node20.18',
      rolldownOptions: {
        input: { index: from('preload/index.ts') },
        // A sandboxed preload script has no ECMAScript modules.
        output: { format: 'cjs', entryFileNames: '[name].cjs' },
      },
    },
  },
  renderer: {
    root: from('renderer'),
    plugins: [svelte({ configFile: from('svelte.config.js') })],
    build: {
      outDir: from('out/renderer'),
      target: 'chrome130',
      minify: true,
      // Everything stays a file of its own origin: the window's policy allows no data: scripts or styles.
      assetsInlineLimit: 0,
      rolldownOptions: { input: { index: from('renderer/index.html') } },
    },
  },
});
