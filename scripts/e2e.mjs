// `npm run e2e [-- ARGUMENTS OF PLAYWRIGHT]`: sets up, then drives the real program, on a virtual display if there is none.
import { playwright } from './setup/playwright.mjs';
import { setUp } from './setup/index.mjs';
import { main } from './setup/say.mjs';

await main(async () => {
  await setUp({ needsWindow: true, forTests: true });
  return playwright(process.argv.slice(2));
});
