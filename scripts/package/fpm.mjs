#!/usr/bin/env node
// Stands in for fpm where that cannot be had: takes the arguments that electron-builder gives it and builds the same
// Debian package with dpkg-deb. It knows those arguments and refuses every other, so that nothing is left out silently.
import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

/** Options with a value: where each belongs in the control file, or null where it is used otherwise or says nothing to dpkg. */
const OPTIONS = {
  '--architecture': 'Architecture', '--name': 'Package', '--version': 'Version', '--maintainer': 'Maintainer', '--url': 'Homepage',
  '--description': 'Description', '--deb-priority': 'Priority', '--category': 'Section', '-d': 'Depends', '--deb-recommends': 'Recommends',
  '-s': null, '-t': null, '--package': null, '--after-install': null, '--after-remove': null, '--vendor': null, '--license': null,
  '--deb-compression': null, '--log': null,
};
/** dpkg-deb's names for fpm's compressions. */
const COMPRESSIONS = { gz: 'gzip', xz: 'xz', none: 'none' };
const SWITCHES = new Set(['--force', '--debug']);
/** Fields in the order in which packages usually have them; the description ends it, as it takes several lines. */
const FIELDS = ['Package', 'Version', 'Architecture', 'Maintainer', 'Installed-Size', 'Depends', 'Recommends', 'Section', 'Priority', 'Homepage', 'Description'];

function parse(args) {
  const given = new Map();
  const files = [];
  for (let index = 0; index < args.length; index++) {
    const argument = args[index];
    if (SWITCHES.has(argument)) continue;
    if (!argument.startsWith('-')) {
      const at = argument.lastIndexOf('=');
      if (at < 0) throw new Error(`A file has no place to go to: ${argument}`);
      files.push({ from: argument.slice(0, at), to: argument.slice(at + 1) });
    } else if (argument in OPTIONS) {
      given.set(argument, [...(given.get(argument) ?? []), args[++index]]);
    } else {
      throw new Error(`This stand-in for fpm does not know ${argument}; install fpm and package again.`);
    }
  }
  return { given, files };
}

function sizeOf(path) {
  const status = lstatSync(path);
  return status.isDirectory() ? readdirSync(path).reduce((sum, name) => sum + sizeOf(join(path, name)), 0) : status.size;
}

/** A description's first line stands alone; those after it begin with a space, and empty ones are a dot. */
function description(text) {
  const [first = '', ...rest] = text.split('\n').map((line) => line.trim());
  return [first, ...rest.filter((line, index) => line !== '' || index > 0).map((line) => ` ${line === '' ? '.' : line}`)].join('\n');
}

function control({ given }, root) {
  const fields = new Map([['Installed-Size', String(Math.ceil(sizeOf(root) / 1024))]]);
  for (const [option, values] of given) {
    const field = OPTIONS[option];
    // A package need not have a site, and `.invalid` says that there is none.
    if (field === 'Homepage' && values[0].endsWith('.invalid')) continue;
    if (field !== null) fields.set(field, field === 'Description' ? description(values[0]) : values.join(', '));
  }
  return FIELDS.filter((field) => fields.has(field)).map((field) => `${field}: ${fields.get(field)}\n`).join('');
}

const parsed = parse(process.argv.slice(2));
const target = parsed.given.get('-t')?.[0];
if (target !== 'deb') throw new Error(`This stand-in for fpm builds Debian packages only, not ${target}.`);
const root = mkdtempSync(join(tmpdir(), 'shear-deb-'));
try {
  chmodSync(root, 0o755);
  for (const { from, to } of parsed.files) {
    const place = join(root, to);
    mkdirSync(dirname(place), { recursive: true });
    cpSync(from, place, { recursive: true, verbatimSymlinks: true });
  }
  const about = control(parsed, root);
  const debian = join(root, 'DEBIAN');
  mkdirSync(debian);
  writeFileSync(join(debian, 'control'), about);
  for (const [option, name] of [['--after-install', 'postinst'], ['--after-remove', 'postrm']]) {
    const script = parsed.given.get(option)?.[0];
    if (script !== undefined) writeFileSync(join(debian, name), readFileSync(script), { mode: 0o755 });
  }
  const built = spawnSync('dpkg-deb', ['--root-owner-group', `-Z${COMPRESSIONS[parsed.given.get('--deb-compression')?.[0] ?? 'xz']}`, '-z6', '--build', root, parsed.given.get('--package')[0]], { stdio: 'inherit' });
  if (built.error !== undefined) throw built.error;
  process.exitCode = built.status ?? 1;
} finally {
  rmSync(root, { recursive: true, force: true });
}
