// `npm run notices [-- --check]`: writes THIRD-PARTY-NOTICES.md anew, which is due after every change of dependencies;
// with --check only looks whether it is as it should be.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { noticesText } from './package/notices.mjs';
import { main, root, say, SetupError } from './setup/say.mjs';

const path = join(root, 'THIRD-PARTY-NOTICES.md');

await main(() => {
  const text = noticesText();
  if (!process.argv.includes('--check')) {
    writeFileSync(path, text);
    say('wrote THIRD-PARTY-NOTICES.md');
  } else if (readFileSync(path, 'utf8') !== text) {
    throw new SetupError('THIRD-PARTY-NOTICES.md does not fit the dependencies: run `npm run notices`.');
  }
});
