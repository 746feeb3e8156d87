// What Electron runs when it is given a folder (`electron FOLDER`) and the distribution brings no default app of its
// own: loads modules asked for with -r (Playwright's), then the folder's main file as if it were the application.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { app } from 'electron';

const required = [];
let folder = null;
for (let index = 1; index < process.argv.length && folder === null; index++) {
  const argument = process.argv[index];
  if (argument === '-r' || argument === '--require') {
    index += 1;
    required.push(process.argv[index]);
  } else if (!argument.startsWith('-')) {
    folder = resolve(argument);
  }
}

if (folder === null) {
  process.stderr.write('usage: electron [-r MODULE] FOLDER\n');
  app.exit(2);
} else {
  const manifest = JSON.parse(readFileSync(resolve(folder, 'package.json'), 'utf8'));
  app.setVersion(manifest.version);
  app.setAppPath(folder);
  const require = createRequire(import.meta.url);
  for (const module of required) require(resolve(module));
  // Awaited, because Electron becomes ready only after its first module has been run to its end.
  await import(pathToFileURL(resolve(folder, manifest.main)).href);
}
