/** Where things are: in a checkout and in the packaged program. */
import { join } from 'node:path';
import { app } from 'electron';

/** Folders and files that the application uses; all absolute. */
export interface Places {
  /** The built page. */
  readonly pages: string;
  readonly preload: string;
  readonly worker: string;
  readonly icon: string;
  readonly example: string;
  readonly notices: string;
  readonly settings: string;
  /** Where runs are kept unless the settings say otherwise: SHEAR_RUNS_FOLDER if set, else in the user's folder for this program. */
  readonly runs: string;
}

/** Finds all places; to be called when the application is ready, as user folders are known then. */
export function findPlaces(): Places {
  const built = join(import.meta.dirname, '..');
  // Files that the engine or other programs read are beside the packed application, not inside it.
  const resources = app.isPackaged ? process.resourcesPath : join(app.getAppPath(), 'resources');
  const runs = process.env['SHEAR_RUNS_FOLDER'];
  return {
    pages: join(built, 'renderer'),
    preload: join(built, 'preload', 'index.cjs'),
    worker: join(built, 'main', 'worker.js'),
    icon: join(resources, 'icons', 'icon.png'),
    example: join(resources, 'example'),
    notices: join(app.isPackaged ? process.resourcesPath : app.getAppPath(), 'THIRD-PARTY-NOTICES.md'),
    settings: join(app.getPath('userData'), 'settings.json'),
    runs: runs === undefined || runs === '' ? join(app.getPath('userData'), 'runs') : runs,
  };
}
