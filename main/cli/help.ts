/** Help texts, put together from what each command says about itself. */
import type { Command, OptionHelp } from './command';

const COMMON_HELP: readonly OptionHelp[] = [
  { usage: '--threads N', about: 'processor threads to use; all of them unless given' },
  { usage: '--json', about: 'print one JSON object instead of text' },
  { usage: '--help', about: 'show this' },
];

/** The list of commands. */
export function programHelp(commands: readonly Command[]): string {
  const width = Math.max(...commands.map((command) => command.name.length)) + 2;
  return [
    'Shear makes a language model smaller on your own machine. It never uses the network.',
    '',
    'Usage: shear COMMAND …',
    '',
    ...commands.map((command) => `  ${command.name.padEnd(width)}${command.summary}`),
    '',
    'A MODEL is a folder with config.json and *.safetensors, a file in it, or a .gguf file.',
    'Add --help to a command to see its options. To begin: shear example',
    '',
  ].join('\n');
}

/** All about one command. */
export function commandHelp(command: Command): string {
  const options = [...command.help, ...COMMON_HELP];
  const width = Math.min(30, Math.max(...options.map((option) => option.usage.length)) + 2);
  const line = ({ usage, about }: OptionHelp): string =>
    usage.length < width ? `  ${usage.padEnd(width)}${about}` : `  ${usage}\n  ${' '.repeat(width)}${about}`;
  const notes = command.notes === undefined ? [] : ['', ...command.notes];
  return [
    `${command.summary}.`,
    '',
    ...command.usage.map((usage, index) => `${index === 0 ? 'Usage:' : '      '} shear ${command.name} ${usage}`),
    '',
    'Options:',
    ...options.map(line),
    ...notes,
    '',
  ].join('\n');
}
