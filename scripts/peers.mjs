/**
 * `npm run peers [-- NAME …]`: installs the programs that Shear is compared with (PyTorch, transformers, PEFT, llama.cpp)
 * and a real model into the user's cache, and runs the comparisons of tests/peers. `npm run peers -- install` installs
 * only, for `shear bench --against`. Not part of `npm test`: it takes long.
 */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { installPeers } from './peers/install.mjs';
import { main, root, run, say } from './setup/say.mjs';

await main(() => {
  const folder = installPeers();
  const model = execFileSync(process.execPath, [join(root, 'scripts', 'install-real-model.mjs')], { encoding: 'utf8' }).trim().split('\n').at(-1);
  const names = process.argv.slice(2);
  if (names[0] === 'install') {
    say(`the peers are in ${folder}, the model is ${model}`);
    return 0;
  }
  const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs');
  const args = [vitest, 'run', '--config', 'vitest.peers.config.ts', ...names];
  return run(process.execPath, args, { env: { ...process.env, SHEAR_PEERS: folder, SHEAR_REAL_MODEL: model } }).status;
});
