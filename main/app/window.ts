/** Opens the program's one window. */
import { BrowserWindow, nativeTheme } from 'electron';
import { PAGE_URL } from './pages';
import type { Places } from './places';

/** The page's `--ground` (renderer/styles/tokens.css), so that the window does not flash before the page is drawn. */
const BACKGROUND = { light: '#f5f5f2', dark: '#131615' };

/** Creates the window and loads its page; it shows when the page is drawn. */
export function openWindow(places: Places): BrowserWindow {
  const window = new BrowserWindow({
    width: 1180,
    height: 820,
    minWidth: 900,
    minHeight: 600,
    show: false,
    title: 'Shear',
    icon: places.icon,
    backgroundColor: nativeTheme.shouldUseDarkColors ? BACKGROUND.dark : BACKGROUND.light,
    webPreferences: {
      preload: places.preload,
      contextIsolation: true,
      sandbox: true,
      nodeIntegration: false,
      webSecurity: true,
      spellcheck: false,
    },
  });
  window.once('ready-to-show', () => {
    window.show();
  });
  // The page holds nothing that the engine doesn't: after a crash it starts anew and finds the run going on.
  window.webContents.on('render-process-gone', (_event, details) => {
    if (details.reason !== 'clean-exit' && !window.isDestroyed()) window.reload();
  });
  void window.loadURL(PAGE_URL);
  return window;
}
