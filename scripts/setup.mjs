// `npm run setup`: makes a fresh clone ready: npm packages, Electron, system libraries, a build, the `shear` command.
import { setUp } from './setup/index.mjs';
import { main, say } from './setup/say.mjs';

await main(async () => {
  await setUp({ needsWindow: true, forTests: true });
  say('ready: `npm start` opens the window, `npx shear --help` explains the command line, `npm test` runs every check');
});
