/** What the user keeps whole: from the words of a recipe (`3:mlp`, `last:*`) to parts of layers and to unit groups. */
import type { ModelConfig } from '../model/config';
import { PlanError } from '../support/errors';
import type { Part, UnitGroup } from './units';

/** By layer, the parts that the user keeps whole. */
export type UserLocks = readonly ReadonlySet<Part>[];

const PARTS: readonly Part[] = ['attention', 'mlp'];

/** Resolves locks as `lockSchema` spells them. Throws PlanError, naming all, for layers that the model does not have. */
export function resolveLocks({ layers }: Pick<ModelConfig, 'layers'>, locks: readonly string[]): UserLocks {
  const found = layers.map(() => new Set<Part>());
  const unknown: string[] = [];
  for (const lock of locks) {
    const [place = '', part = ''] = lock.split(':');
    const range = layerRange(place, layers.length);
    if (range === null) unknown.push(lock);
    else for (const own of found.slice(range.first, range.last + 1)) for (const name of PARTS) if (part === name || part === '*') own.add(name);
  }
  if (unknown.length > 0) {
    throw new PlanError(`This model has no such layers to keep whole: ${unknown.join(', ')}. Its ${layers.length} layers are 1 to ${layers.length}.`, {
      hint: 'Layers count from 1; "first" and "last" name the outermost ones.',
      details: { locks: unknown, layers: layers.length },
    });
  }
  return found;
}

/** The layers that a place names, by index, the last one included; null if the model lacks one of them. */
function layerRange(place: string, count: number): { readonly first: number; readonly last: number } | null {
  if (place === '*') return { first: 0, last: count - 1 };
  if (place === 'first') return { first: 0, last: 0 };
  if (place === 'last') return { first: count - 1, last: count - 1 };
  const [first = Number.NaN, last = first] = place.split('-').map(Number);
  return first >= 1 && first <= last && last <= count ? { first: first - 1, last: last - 1 } : null;
}

/** Whether the user keeps a part of a layer whole. */
export function isLockedByUser(locks: UserLocks | undefined, { layer, part }: Pick<UnitGroup, 'layer' | 'part'>): boolean {
  return locks?.[layer]?.has(part) === true;
}
