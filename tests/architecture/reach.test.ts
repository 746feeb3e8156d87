/** What the program could reach the world by: no source asks for the network, runs code that it reads, or makes HTML of text. */
import { beforeAll, expect, it } from 'vitest';
import { readSources, type Source } from './sources';

/** Modules of node that reach other machines, run code or look into other programs. */
const REACHING = new Set(['http', 'https', 'http2', 'net', 'tls', 'dgram', 'dns', 'dns/promises', 'vm', 'inspector', 'cluster', 'child_process', 'worker_threads', 'module', 'repl']);
/** `shear bench` starts itself and programs to compare with. Nothing else starts programs. */
const MAY_START_PROGRAMS = 'main/engine/jobs/bench/child.ts';
const NETWORK = /\b(fetch|WebSocket|XMLHttpRequest|EventSource|RTCPeerConnection|importScripts)\s*\(|\bsendBeacon\b|\bnet\.(request|fetch)\b|\bautoUpdater\b/;
const CODE = /\beval\s*\(|\bnew Function\b|\bprocess\.(dlopen|binding)\b|\bexecuteJavaScript\b/;
const HTML = /\{@html|\b(inner|outer)HTML\b|\binsertAdjacentHTML\b|\bdocument\.write\b|\bsrcdoc\b/;

let program: Source[];
beforeAll(async () => {
  program = await readSources(['main', 'preload', 'renderer']);
  // A built page may lie in the folder of its sources; it is no source.
  program = program.filter(({ path }) => !path.startsWith('renderer/out/'));
}, 60_000);

function foundBy(pattern: RegExp): string[] {
  return program.filter(({ text }) => pattern.test(withoutComments(text))).map(({ path }) => path);
}

function withoutComments(text: string): string {
  return text.replace(/\/\*[^]*?\*\/|<!--[^]*?-->|(?<=^|\s)\/\/.*$/gm, '');
}

it('No source takes a module that reaches other machines, runs code or starts programs, but the one that measures beside others', () => {
  const found = program.flatMap(({ path, imports }) => imports.filter(({ specifier }) => REACHING.has(specifier.replace(/^node:/, ''))).map(({ specifier }) => ({ path, specifier })));
  expect(found).toEqual([{ path: MAY_START_PROGRAMS, specifier: 'node:child_process' }]);
});

it('No source asks the network for anything', () => {
  expect(foundBy(NETWORK)).toEqual([]);
});

it('No source runs code that it was given', () => {
  expect(foundBy(CODE)).toEqual([]);
});

it('The page shows texts as texts, never as HTML', () => {
  expect(foundBy(HTML)).toEqual([]);
});
