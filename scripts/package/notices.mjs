// The text of THIRD-PARTY-NOTICES.md, from the licence files of every package that is part of the program.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { partsOfProgram } from './parts.mjs';

const INTRODUCTION = `# Third-party notices

Shear contains the packages below, each under its own licence. Electron and Chromium bring their licences in files of
their own beside the program (LICENSE.electron.txt, LICENSES.chromium.html). The licences of the example model and texts
are in resources/example. This file is written by \`npm run notices\`.
`;

/** Licence texts of a package. */
function textsOf(folder) {
  const files = readdirSync(folder).filter((file) => /^(licen[cs]e|notice|copying)/i.test(file)).sort();
  return files.map((file) => readFileSync(join(folder, file), 'utf8').replaceAll('\r\n', '\n').trim());
}

export function noticesText() {
  const sections = partsOfProgram().map(({ name, version, license, folder }) => {
    const texts = textsOf(folder).map((text) => `\n\`\`\`\`text\n${text}\n\`\`\`\`\n`);
    return `## ${name} ${version}\n\nLicence: ${license ?? 'see below'}\n${texts.join('')}`;
  });
  return [INTRODUCTION, ...sections].join('\n');
}
