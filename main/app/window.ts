/** Opens the program's one window. */
import { BrowserWindow, nativeTheme } from 'electron';
import type { Settings } from '../../preload/contract/settings';
import { PAGE_URL } from './pages';
import type { Places } from './places';

/** The page's `--ground` (renderer/styles/tokens.css), so that the window does not flash before the page is drawn. */
const BACKGROUND = { light: '#f5f5f2', dark: '#131615' };

/** Makes the window look as the settings say; high contrast is drawn by the page, on dark ground. */
export function applyLook(window: BrowserWindow | null, { theme, textPercent }: Settings): void {
  nativeTheme.themeSource = theme === 'contrast' ? 'dark' : theme;
  window?.webContents.setZoomFactor(textPercent / 100);
}

/** Creates the window and loads its page; it shows when the page is drawn. */
export function openWindow(places: Places, settings: () => Settings): BrowserWindow {
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
  // A loaded page starts at the usual size.
  window.webContents.on('did-finish-load', () => {
    applyLook(window, settings());
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
