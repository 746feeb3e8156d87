// `npm run package [-- --dir]`: builds the program and its Linux packages into dist/: the unpacked folder, a tar.gz and a
// deb, from what the set-up installed, without a download. Other packages need tools of theirs: docs/packaging.md.
import { lstatSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setUp } from './setup/index.mjs';
import { isOnPath, main, root, run, say, SetupError } from './setup/say.mjs';
import { writeBillOfMaterials } from './package/bill-of-materials.mjs';

const UNPACKED = { folder: 'linux-unpacked', mostBytes: 330e6 };

function sizeOf(path) {
  const status = lstatSync(path);
  return status.isDirectory() ? readdirSync(path).reduce((sum, name) => sum + sizeOf(join(path, name)), 0) : status.size;
}

function must(what, { status, output }) {
  if (status !== 0) throw new SetupError(`${what} failed:\n${output}`);
}

/** electron-builder's own name for what it is given, with fpm replaced where it is not installed. */
function build(targets) {
  const env = { ...process.env };
  if (!isOnPath('fpm')) env.CUSTOM_FPM_PATH ??= join(root, 'scripts', 'package', 'fpm.mjs');
  const builder = join(root, 'node_modules', 'electron-builder', 'cli.js');
  must('electron-builder', run(process.execPath, [builder, '--linux', ...targets, '--x64', '--publish', 'never'], { quiet: true, env }));
}

await main(async () => {
  if (process.platform !== 'linux') throw new SetupError('This builds the Linux packages. For other systems see docs/packaging.md.');
  await setUp({ needsWindow: true, forTests: true });
  writeBillOfMaterials();
  const dist = join(root, 'dist');
  rmSync(dist, { recursive: true, force: true });
  const onlyFolder = process.argv.includes('--dir');
  say('packaging …');
  build(onlyFolder ? ['dir'] : ['dir', 'deb']);
  const bytes = sizeOf(join(dist, UNPACKED.folder));
  if (bytes > UNPACKED.mostBytes) throw new SetupError(`The unpacked program takes ${bytes} bytes, more than ${UNPACKED.mostBytes}.`);
  say(`dist/${UNPACKED.folder}: ${(bytes / 1e6).toFixed(1)} MB`);
  if (onlyFolder) return;
  // electron-builder would fetch a compressor of its own for this.
  const name = `shear-${process.env.npm_package_version}-linux-x64`;
  must('tar', run('tar', ['--owner=0', '--group=0', '--numeric-owner', '--transform', `s,^${UNPACKED.folder},${name},S`, '-C', dist, '-czf', join(dist, `${name}.tar.gz`), UNPACKED.folder], { quiet: true }));
  for (const file of readdirSync(dist).filter((file) => /\.(deb|tar\.gz)$/.test(file))) say(`dist/${file}: ${(sizeOf(join(dist, file)) / 1e6).toFixed(1)} MB`);
});
