/** What a model is called, from where it lies and what it says: for titles, file names and model cards. */
import { basename, dirname } from 'node:path';
import type { Checkpoint } from '../model/checkpoint';

/** Folder names that say nothing about the model inside. */
const EMPTY_NAMES = /^(model|models|main|weights|checkpoint|checkpoint-\d+|hf|safetensors|[0-9a-f]{40})$/i;

/** `organisation/name` where the path is a Hub cache's snapshot or the configuration tells it; else null. */
export function hubIdOf(path: string, metadata?: Checkpoint['metadata']): string | null {
  const cached = /models--([^/\\]+?)--([^/\\]+)[/\\]snapshots[/\\]/.exec(path);
  if (cached !== null) return `${cached[1] ?? ''}/${cached[2] ?? ''}`;
  const told = metadata?.kind === 'huggingface' ? metadata.config['_name_or_path'] : undefined;
  return typeof told === 'string' && /^[A-Za-z0-9][\w.-]*\/[\w.-]+$/.test(told) ? told : null;
}

/** A name for people: that of the Hub, or of the file or folder, or of the folder around one with an empty name. */
export function modelNameOf(path: string): string {
  const id = hubIdOf(path);
  if (id !== null) return id.slice(id.indexOf('/') + 1);
  const file = basename(path);
  // A file of a Hugging Face folder stands for the folder.
  const isPart = /\.(safetensors|json)$/i.test(file);
  const own = (isPart ? basename(dirname(path)) : file).replace(/\.gguf$/i, '');
  const around = basename(dirname(isPart ? dirname(path) : path));
  return (EMPTY_NAMES.test(own) && around !== '' ? around : own) || 'model';
}

/** A file name for a model made from another: its own name, and how much was removed. */
export function shearedName(modelPath: string, removedFraction: number): string {
  const plain = modelNameOf(modelPath).replace(/[^\p{L}\p{N}._-]+/gu, '-');
  return `${plain}-sheared-${Math.round(removedFraction * 100)}`;
}
