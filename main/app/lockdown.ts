/**
 * Closes what a page never needs here: the network, permissions, other pages, new windows. The program works offline by
 * design, and what a model writes must not be able to change that.
 */
import { app, session, type Session, type WebContents } from 'electron';
import { isPageAddress } from './pages';

/** Switches and process settings; to be called before Electron is ready. */
export function lockProcessDown(): void {
  // No name resolves to an address, so not even Chromium's own services reach out.
  app.commandLine.appendSwitch('host-resolver-rules', 'MAP * ~NOTFOUND');
  app.commandLine.appendSwitch('disable-background-networking');
  // Together with --no-sandbox (needed for root) this would make every child process crash at its start.
  if (!app.commandLine.hasSwitch('no-sandbox')) app.enableSandbox();
  app.on('web-contents-created', (_event, contents) => {
    lockPageDown(contents);
  });
}

/** Denies the session's permissions and keeps Chromium from fetching a spelling dictionary. */
export function lockSessionDown(current: Session = session.defaultSession): void {
  current.setPermissionRequestHandler((_contents, _permission, decide) => {
    decide(false);
  });
  current.setPermissionCheckHandler(() => false);
  current.setDevicePermissionHandler(() => false);
  current.setSpellCheckerLanguages([]);
  current.on('will-download', (event) => {
    event.preventDefault();
  });
  current.webRequest.onBeforeRequest((details, decide) => {
    decide({ cancel: !isPageAddress(details.url) && !details.url.startsWith('devtools:') });
  });
}

function lockPageDown(contents: WebContents): void {
  // A file dropped beside the drop area would otherwise replace the page.
  contents.on('will-navigate', (event) => {
    event.preventDefault();
  });
  contents.on('will-attach-webview', (event) => {
    event.preventDefault();
  });
  contents.setWindowOpenHandler(() => ({ action: 'deny' }));
}
