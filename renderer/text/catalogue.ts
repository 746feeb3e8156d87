/** The catalogue in use. A further language is a file with the same shape, chosen here. */
import { en } from './en';

export type Catalogue = typeof en;

export const text: Catalogue = en;
