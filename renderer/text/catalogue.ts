/** The catalogue in use. A further language is a file with the same shape, chosen here. */
import { en } from './en';

/** The shape that every language has to fill. */
export type Catalogue = typeof en;

/** The texts of the language in use. */
export const text: Catalogue = en;
