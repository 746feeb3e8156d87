// `npm start`: sets everything up and opens the window. Without a display it runs the example job in the terminal.
import { spawn } from 'node:child_process';
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
  return foreground(process.execPath, [join(root, 'out', 'main', 'cli.js'), 'example', ...process.argv.slice(2)]);
});

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
