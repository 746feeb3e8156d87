// Unpacks chosen files of a zip archive (APPNOTE 6.3, no zip64): enough for the archive of Electron's files, on a
// machine that may have no unzip program.
import { chmodSync, closeSync, mkdirSync, openSync, readSync, statSync, writeFileSync } from 'node:fs';
import { dirname, resolve, sep } from 'node:path';
import { inflateRawSync } from 'node:zlib';

const END_SIGNATURE = 0x06054b50;
const ENTRY_SIGNATURE = 0x02014b50;

/**
 * Unpacks into `folder` every file for which `rename(name)` gives a path (null leaves it out).
 * Throws an Error on an archive that it can't read and on a path that leaves the folder.
 */
export function unzip(archive, folder, rename) {
  const file = openSync(archive, 'r');
  try {
    for (const entry of entries(file, statSync(archive).size)) {
      const target = entry.name.endsWith('/') ? null : rename(entry.name);
      if (target === null) continue;
      const path = resolve(folder, target);
      if (!path.startsWith(resolve(folder) + sep)) throw new Error(`${archive}: ${entry.name} would be written outside ${folder}`);
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, contents(file, entry));
      if (entry.mode !== 0) chmodSync(path, entry.mode);
    }
  } finally {
    closeSync(file);
  }
}

/** Entries of the central directory, found from the archive's end (its comment is at most 65,535 bytes). */
function entries(file, size) {
  const tail = read(file, Math.max(0, size - 65557), Math.min(size, 65557));
  let end = tail.length - 22;
  while (end >= 0 && tail.readUInt32LE(end) !== END_SIGNATURE) end--;
  if (end < 0) throw new Error('not a zip archive: its end record is missing');
  const directory = read(file, tail.readUInt32LE(end + 16), tail.readUInt32LE(end + 12));
  const found = [];
  for (let at = 0; at < directory.length; ) {
    if (directory.readUInt32LE(at) !== ENTRY_SIGNATURE) throw new Error('the zip archive has a damaged directory');
    const nameLength = directory.readUInt16LE(at + 28);
    found.push({
      name: directory.toString('utf8', at + 46, at + 46 + nameLength),
      method: directory.readUInt16LE(at + 10),
      packedBytes: directory.readUInt32LE(at + 20),
      bytes: directory.readUInt32LE(at + 24),
      mode: (directory.readUInt32LE(at + 38) >>> 16) & 0o777,
      offset: directory.readUInt32LE(at + 42),
    });
    at += 46 + nameLength + directory.readUInt16LE(at + 30) + directory.readUInt16LE(at + 32);
  }
  return found;
}

function contents(file, entry) {
  const header = read(file, entry.offset, 30);
  const packed = read(file, entry.offset + 30 + header.readUInt16LE(26) + header.readUInt16LE(28), entry.packedBytes);
  const data = entry.method === 0 ? packed : inflateRawSync(packed);
  if (data.length !== entry.bytes) throw new Error(`${entry.name} has ${data.length} bytes, its archive says ${entry.bytes}`);
  return data;
}

function read(file, position, length) {
  const buffer = Buffer.alloc(length);
  for (let done = 0; done < length; ) {
    const count = readSync(file, buffer, done, length - done, position + done);
    if (count === 0) throw new Error('the zip archive is cut short');
    done += count;
  }
  return buffer;
}
