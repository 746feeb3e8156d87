// What Electron runs when it is given a folder (`electron FOLDER`) and the distribution brings no default app of its
// own: loads modules asked for with -r (Playwright's), then the folder's main file as if it were the application.
'use strict';
const { app } = require('electron');
const { readFileSync } = require('node:fs');
const { resolve } = require('node:path');
const { pathToFileURL } = require('node:url');

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
  for (const module of required) require(resolve(module));
  import(pathToFileURL(resolve(folder, manifest.main)).href).catch((error) => {
    process.stderr.write(`${error.stack}\n`);
    app.exit(1);
  });
}
