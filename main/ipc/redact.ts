/** Takes out of a text what says whose computer it comes from: home folders, the user's name, the computer's name. */

/** Who and where the person is. */
export interface Identity {
  /** Path of the home folder. */
  readonly home: string;
  readonly user: string;
  readonly computer: string;
}

/** Folders in which systems keep their users' homes, and the name after them. */
const HOMES = /((?:[A-Za-z]:)?[\\/]+(?:home|users|Users|Documents and Settings)[\\/]+)([^\\/\s"'<>:]+)/g;

/** The text without them: `~` for the home folder, `<user>` and `<computer>` for the names, wherever they stand as words. */
export function redact(text: string, { home, user, computer }: Identity): string {
  // Paths may stand in JSON, where each backslash is two.
  const homes = [...new Set([home, home.replaceAll('\\', '\\\\'), home.replaceAll('\\', '/')])].filter((path) => path.length > 1);
  const withoutHome = homes.reduce((rest, path) => rest.replace(new RegExp(`${escape(path)}(?![\\p{L}\\p{N}_-])`, 'giu'), '~'), text);
  const withoutUsers = withoutHome.replace(HOMES, '$1<user>');
  return replaceWord(replaceWord(withoutUsers, user, '<user>'), computer, '<computer>');
}

function replaceWord(text: string, word: string, substitute: string): string {
  if (word === '') return text;
  return text.replace(new RegExp(`(?<![\\p{L}\\p{N}_<])${escape(word)}(?![\\p{L}\\p{N}_>])`, 'giu'), substitute);
}

function escape(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&');
}
