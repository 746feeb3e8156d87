/** Which arguments are the user's, for node on a script and for the packaged program. */
import { describe, expect, it } from 'vitest';
import { argumentsOf, isCommandLine, startOf } from '../../../main/cli/launch';

describe('arguments', () => {
  it.each([
    { argv: ['node', '/x/cli.js', 'inspect', 'm.gguf'], inside: false, start: 2 },
    { argv: ['node', '/x/cli.js', '--command-line', '--', 'x'], inside: false, start: 2 },
    { argv: ['/opt/Shear/shear-desktop', '--no-sandbox', '--command-line', '--', 'inspect', '--', '--json'], inside: true, start: 4 },
    { argv: ['/opt/Shear/shear-desktop', '--command-line', '--'], inside: true, start: 3 },
    { argv: ['/opt/Shear/shear-desktop', '/home/ada/--command-line'], inside: false, start: 2 },
    { argv: ['/opt/Shear/shear-desktop', 'm.gguf', '--command-line', '--', 'x'], inside: false, start: 2 },
    { argv: ['/opt/Shear/shear-desktop'], inside: false, start: 2 },
  ])('of $argv', ({ argv, inside, start }) => {
    expect(isCommandLine(argv)).toBe(inside);
    expect(startOf(argv)).toEqual(argv.slice(0, start));
    expect(argumentsOf(argv)).toEqual(argv.slice(start));
  });
});
