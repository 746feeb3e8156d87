/** The layers of ARCHITECTURE.md hold, and the few rules of style that no linter checks. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import ts from 'typescript';
import { beforeAll, describe, expect, it } from 'vitest';
import { exportsOf, mentionsOf, packageOf, readSources, root, targetOf, type Source } from './sources';
import { partOf, readPackages, readParts, type Part } from './table';

const PROGRAM = ['main', 'preload', 'renderer'];
const MOST_LINES = 500;

let parts: Part[];
let packages: ReadonlyMap<string, ReadonlySet<string>>;
let program: Source[];
let tests: Source[];

beforeAll(async () => {
  const document = await readFile(join(root, 'ARCHITECTURE.md'), 'utf8');
  parts = readParts(document);
  packages = readPackages(document);
  program = await readSources(PROGRAM);
  tests = await readSources(['tests']);
});

describe('the layers', () => {
  it('give every source file a part', () => {
    expect(program.filter((source) => partOf(parts, source.path) === undefined).map((source) => source.path)).toEqual([]);
  });

  it('let parts import only what the table allows', () => {
    const forbidden = program.flatMap((source) => source.imports.flatMap((found) => {
      const from = partOf(parts, source.path);
      const target = targetOf(source, found.specifier);
      // A JSON file is data: it brings no code along.
      if (from === undefined || target === null || target.endsWith('.json')) return [];
      const to = partOf(parts, target);
      if (to === from) return [];
      const allowed = found.isTypeOnly ? from.mayImportTypes : from.mayImport;
      return to !== undefined && allowed.has(to.name) ? [] : [`${source.path} (${from.name}) imports ${found.specifier} (${to?.name ?? 'no part'})`];
    }));
    expect(forbidden).toEqual([]);
  });

  it('keep packages to the parts that own them', () => {
    const forbidden = program.flatMap((source) => source.imports.flatMap((found) => {
      const name = packageOf(found.specifier);
      const owners = name === null ? undefined : packages.get(name);
      const from = partOf(parts, source.path);
      return owners === undefined || from === undefined || owners.has(from.name) ? [] : [`${source.path} (${from.name}) imports ${found.specifier}`];
    }));
    expect(forbidden).toEqual([]);
  });

  it('know every package that the program imports as a dependency', async () => {
    const manifest = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as Record<'dependencies' | 'devDependencies', Record<string, string>>;
    // The page is bundled when it is built, so its packages need not be there at run time; neither must Electron's types.
    const atRunTime = new Set(Object.keys(manifest.dependencies));
    const atBuild = new Set([...atRunTime, ...Object.keys(manifest.devDependencies)]);
    const unknown = program.flatMap((source) => source.imports.flatMap((found) => {
      const name = packageOf(found.specifier);
      const isBuilt = found.isTypeOnly || name === 'electron' || source.path.startsWith('renderer/');
      return name === null || (isBuilt ? atBuild : atRunTime).has(name) ? [] : [`${source.path} imports ${found.specifier}`];
    }));
    expect(unknown).toEqual([]);
  });

  it('import no file whose name is computed', () => {
    expect(program.filter((source) => source.imports.some((found) => found.specifier === '(computed)')).map((source) => source.path)).toEqual([]);
  });
});

describe('the style', () => {
  it('keeps files short', () => {
    const long = [...program, ...tests].map((source) => ({ path: source.path, lines: source.text.split('\n').length }));
    expect(long.filter(({ lines }) => lines > MOST_LINES)).toEqual([]);
  });

  it('has no any, no check switched off, no double cast, no default export', () => {
    const found = [...program, ...tests].flatMap((source) => offences(source).map((offence) => `${source.path}: ${offence}`));
    expect(found).toEqual([]);
  });

  it('exports nothing that nothing uses', () => {
    const moduleOf = (path: string): string => path.replace(/(\/index)?(\.ts)?$/, '');
    const taken = new Set([...program, ...tests].flatMap((source) => source.imports.flatMap(({ specifier, names }) => {
      const target = targetOf(source, specifier);
      return target === null ? [] : (names ?? ['*']).map((name) => `${moduleOf(target)}: ${name}`);
    })));
    const unused = program.flatMap((source) => exportsOf(source).flatMap((name) => {
      const module = moduleOf(source.path);
      const isUsed = taken.has(`${module}: ${name}`) || taken.has(`${module}: *`) || mentionsOf(name, source) > 1;
      return isUsed ? [] : [`${source.path}: ${name}`];
    }));
    expect(unused).toEqual([]);
  });

  it('opens every file with what it owns', () => {
    const silent = program.filter((source) => source.path.endsWith('.ts') && !/^(#!.*\n)?\s*\/\*\*/.test(source.text));
    expect(silent.map((source) => source.path)).toEqual([]);
  });
});

describe('the table', () => {
  it('refuses a name that no row explains', () => {
    expect(() => readParts('```imports\na main/a -> b\n```')).toThrow('which is no part');
  });

  it('tells imports of types from others', () => {
    const [part] = readParts('```imports\na main/a -> b (types)\nb main/b ->\n```');
    expect(part?.mayImport.has('b')).toBe(false);
    expect(part?.mayImportTypes.has('b')).toBe(true);
  });
});

function offences(source: Source): string[] {
  const found: string[] = [];
  const isTest = source.path.startsWith('tests/');
  const visit = (node: ts.Node): void => {
    if (node.kind === ts.SyntaxKind.AnyKeyword) found.push('any');
    if (ts.isExportAssignment(node)) found.push('default export');
    // A test may hand something wrong to the code on purpose; the program may not.
    if (!isTest && ts.isAsExpression(node) && ts.isAsExpression(node.expression)) found.push(`double cast: ${node.getText(source.tree)}`);
    if (!isTest && ts.isNonNullExpression(node)) found.push(`non-null assertion: ${node.getText(source.tree)}`);
    ts.forEachChild(node, visit);
  };
  visit(source.tree);
  for (const [directive] of source.text.matchAll(/@ts-(ignore|expect-error|nocheck)|eslint-disable/g)) {
    if (!source.path.startsWith('tests/architecture/')) found.push(directive);
  }
  return found;
}
