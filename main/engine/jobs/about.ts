/** Facts about this program. */
import { version } from '../../../package.json';

/** As in package.json. */
export const PROGRAM_VERSION: string = version;
