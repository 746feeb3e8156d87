/** Real files that damaged ones are made from. */
import { join } from 'node:path';

const RESOURCES = join(import.meta.dirname, '../../resources/example');

/** A file of the bundled model; its folder for an empty name. */
export function exampleFile(name: string): string {
  return join(RESOURCES, 'stories260K', name);
}

/** A bundled text. */
export function exampleText(name: string): string {
  return join(RESOURCES, 'texts', name);
}
