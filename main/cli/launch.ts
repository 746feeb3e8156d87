/**
 * Where the user's arguments begin. The packaged program brings no node: there the program itself is the command line,
 * started by `shear-desktop --command-line -- ARGUMENTS` (see resources/linux/shear).
 */
const MARK = '--command-line';

/** Whether the packaged program was started as the command line. What stands behind `--` is the user's and decides nothing. */
export function isCommandLine(argv: readonly string[]): boolean {
  const end = argv.indexOf('--');
  return end > 0 && argv[end - 1] === MARK && argv.slice(1, end).every((argument) => argument.startsWith('--'));
}

/** What starts the command line again: the program, its own switches and the script, without the user's arguments. */
export function startOf(argv: readonly string[]): readonly string[] {
  return argv.slice(0, isCommandLine(argv) ? argv.indexOf('--') + 1 : 2);
}

/** The user's arguments. */
export function argumentsOf(argv: readonly string[]): readonly string[] {
  return argv.slice(startOf(argv).length);
}
