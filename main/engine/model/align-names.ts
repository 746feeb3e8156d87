/**
 * Tensor names as a family has them, from files that were saved without the outermost module (`layers.0...`) or inside
 * others (`language_model.model.layers.0...`): the content is the same, so such models open like any other.
 */
import type { TensorNames } from './families/family';
import { globalName } from './families/index';
import { storedName } from './stored-weights';

/**
 * `tensors` under the names of the family. Files that already use them, and files in which no single place holds such
 * a model, come back as they are.
 */
export function alignNames<Tensor>(names: TensorNames, tensors: ReadonlyMap<string, Tensor>): ReadonlyMap<string, Tensor> {
  const embedding = globalName(names, 'embedding');
  if (tensors.has(embedding)) return tensors;
  // Every family has an o of its own name.
  const inLayer = storedName(names, 0, 'o') ?? '';
  const body = bodyPrefix([embedding, inLayer]);
  const [embeddingEnd, layerEnd] = [embedding, inLayer].map((name) => name.slice(body.length));
  if (embeddingEnd === undefined || layerEnd === undefined) return tensors;
  const places = [...tensors.keys()]
    .filter((name) => name === embeddingEnd || name.endsWith(`.${embeddingEnd}`))
    .map((name) => name.slice(0, name.length - embeddingEnd.length))
    .filter((place) => tensors.has(`${place}${layerEnd}`));
  const [place] = places;
  if (place === undefined || places.length !== 1) return tensors;
  const head = globalName(names, 'head');
  const renamed = new Map<string, Tensor>();
  for (const [name, tensor] of tensors) {
    const isHead = name === head || (name.endsWith(`.${head}`) && place.startsWith(name.slice(0, name.length - head.length)));
    renamed.set(isHead ? head : name.startsWith(place) ? `${body}${name.slice(place.length)}` : name, tensor);
  }
  return renamed;
}

/** What all names begin with, up to a dot: `model.` */
function bodyPrefix(names: readonly string[]): string {
  const [first = '', ...others] = names;
  const parts = first.split('.');
  let length = 0;
  while (length < parts.length - 1 && others.every((name) => name.startsWith(`${parts.slice(0, length + 1).join('.')}.`))) length++;
  return length === 0 ? '' : `${parts.slice(0, length).join('.')}.`;
}
