/** Reads the tables of ARCHITECTURE.md that say who may import whom. */

/** One part of the program: a folder, a file, or both of one name, and what it may import. */
export interface Part {
  readonly name: string;
  /** Relative to the checkout, with forward slashes. */
  readonly path: string;
  readonly mayImport: ReadonlySet<string>;
  readonly mayImportTypes: ReadonlySet<string>;
}

/** The parts by the block `imports`. Throws an Error on a line that can't be read and on a name that no row explains. */
export function readParts(document: string): Part[] {
  const parts = block(document, 'imports').map((line) => {
    const match = /^(\S+)\s+(\S+)\s+->\s*(.*)$/.exec(line);
    if (match === null) throw new Error(`ARCHITECTURE.md, block imports: this line can't be read: ${line}`);
    const [, name = '', path = '', list = ''] = match;
    const targets = names(list);
    return {
      name,
      path,
      mayImport: new Set(targets.filter((target) => !target.endsWith(' (types)'))),
      mayImportTypes: new Set(targets.map((target) => target.replace(/ \(types\)$/, ''))),
    };
  });
  const known = new Set(parts.map((part) => part.name));
  for (const part of parts) {
    for (const target of part.mayImportTypes) {
      if (!known.has(target)) throw new Error(`ARCHITECTURE.md: ${part.name} may import ${target}, which is no part`);
    }
  }
  return parts;
}

/** Package name to the parts that may import it, by the block `packages`. */
export function readPackages(document: string): ReadonlyMap<string, ReadonlySet<string>> {
  return new Map(
    block(document, 'packages').map((line) => {
      const [name = '', list = ''] = line.split('->');
      return [name.trim(), new Set(names(list))];
    }),
  );
}

/** The part that a file belongs to, or undefined. */
export function partOf(parts: readonly Part[], file: string): Part | undefined {
  return parts.find((part) => file === part.path || file === `${part.path}.ts` || file.startsWith(`${part.path}/`));
}

function names(list: string): string[] {
  return list.split(',').map((name) => name.trim()).filter((name) => name !== '');
}

function block(document: string, kind: string): string[] {
  const match = new RegExp(`^\`\`\`${kind}\\n([^]*?)^\`\`\``, 'm').exec(document);
  if (match?.[1] === undefined) throw new Error(`ARCHITECTURE.md has no block ${kind}`);
  return match[1].split('\n').filter((line) => line.trim() !== '');
}
