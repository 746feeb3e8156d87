// `npm run types`: checks the types of both worlds, Node (tsc) and the window (svelte-check), and reports both.
import { join } from 'node:path';
import { main, root, run } from './setup/say.mjs';

const bin = (...parts) => join(root, 'node_modules', ...parts);

await main(() => {
  const node = run(process.execPath, [bin('typescript', 'bin', 'tsc'), '--noEmit', '-p', 'tsconfig.json']);
  const page = run(process.execPath, [bin('typescript', 'bin', 'tsc'), '--noEmit', '-p', 'tsconfig.page.json']);
  const svelte = run(process.execPath, [bin('svelte-check', 'bin', 'svelte-check'), '--tsconfig', './tsconfig.page.json', '--output', 'human', '--fail-on-warnings']);
  return node.status === 0 && page.status === 0 && svelte.status === 0 ? 0 : 1;
});
