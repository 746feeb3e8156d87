// `npm start`: sets everything up and opens the window. Without a display it runs the example job in the terminal.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setUp } from './setup/index.mjs';
import { sandboxArguments } from './setup/sandbox.mjs';
import { hasDisplay, main, root, say } from './setup/say.mjs';

await main(async () => {
  const electron = await setUp({ needsWindow: hasDisplay(), forTests: false });
  if (electron !== null && hasDisplay()) {
    say('opening the window');
    return foreground(electron, [...sandboxArguments(electron), root, ...process.argv.slice(2)]);
  }
  say('there is no display here (DISPLAY and WAYLAND_DISPLAY are not set), so the example job runs in this terminal');
  const given = process.argv.slice(2);
  const out = given.includes('--out') ? [] : ['--out', freeFolder()];
  return foreground(process.execPath, [join(root, 'out', 'main', 'cli.js'), 'example', ...out, ...given]);
});

/** The first of shear-example, shear-example-2 … that isn't there yet: results of an earlier start stay as they are. */
function freeFolder() {
  for (let count = 1; ; count++) {
    const name = count === 1 ? 'shear-example' : `shear-example-${count}`;
    if (!existsSync(join(root, name))) return name;
  }
}

/** Runs a program with this terminal and resolves to its exit status; Ctrl-C reaches it, and this script waits for it. */
function foreground(program, args) {
  return new Promise((resolve, reject) => {
    const stayForTheChild = () => undefined;
    process.on('SIGINT', stayForTheChild);
    const child = spawn(program, args, { cwd: root, stdio: 'inherit' });
    process.on('SIGTERM', () => child.kill('SIGTERM'));
    child.on('error', reject);
    child.on('exit', (status, signal) => resolve(status ?? (signal === 'SIGINT' ? 130 : 1)));
  });
}
