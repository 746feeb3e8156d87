/** The application from start to end: one instance, one window, one engine; asks before a running job is stopped. */
import { app, dialog, powerSaveBlocker, type BrowserWindow, type IpcMainInvokeEvent } from 'electron';
import { IPC_EVENT } from '../../preload/contract/ipc';
import { openBridge } from '../ipc/bridge';
import { createDesktopHandlers } from '../ipc/desktop';
import { SettingsFile } from '../ipc/settings-file';
import type { EngineEvent } from '../wire';
import { EngineHost, type EngineSetup } from './engine-host';
import { lockProcessDown, lockSessionDown } from './lockdown';
import { setMenu } from './menu';
import { OpenedFiles } from './opened-files';
import { declarePages, isPageAddress, servePages } from './pages';
import { findPlaces, type Places } from './places';
import { applyLook, openWindow } from './window';

/** Starts the application, or brings the one that is already open to the front and ends. */
export async function startApplication(): Promise<void> {
  app.setName('Shear');
  if (!app.requestSingleInstanceLock()) {
    app.quit();
    return;
  }
  lockProcessDown();
  declarePages();
  const opened = new OpenedFiles();
  opened.add(process.argv.slice(1), process.cwd());
  // macOS tells files so, and before the program is ready.
  app.on('open-file', (event, path) => {
    event.preventDefault();
    opened.add([path], '/');
  });
  await app.whenReady();
  const places = findPlaces();
  new Application(places, await SettingsFile.open(places.settings), opened).open();
}

class Application {
  private readonly places: Places;
  private readonly settings: SettingsFile;
  private readonly engine: EngineHost;
  private readonly opened: OpenedFiles;
  private window: BrowserWindow | null = null;
  /** Keeps the computer awake while a run goes on. */
  private awake: number | null = null;
  private mayClose = false;

  constructor(places: Places, settings: SettingsFile, opened: OpenedFiles) {
    this.places = places;
    this.settings = settings;
    this.opened = opened;
    this.engine = new EngineHost({
      worker: places.worker,
      setup: this.engineSetup(),
      onEvent: (event) => {
        this.forward(event);
      },
    });
  }

  open(): void {
    lockSessionDown();
    servePages(this.places.pages);
    setMenu();
    const callEngine = this.engine.call.bind(this.engine);
    openBridge({
      callEngine,
      desktop: createDesktopHandlers({
        exampleFolder: this.places.example,
        noticesFile: this.places.notices,
        callEngine,
        window: () => this.window,
        settings: this.settings,
        usualRunsFolder: this.places.runs,
        takeOpened: () => this.opened.take(),
        settingsChanged: () => {
          applyLook(this.window, this.settings.current);
          this.engine.configure(this.engineSetup());
        },
      }),
      isOwnPage: (event) => this.isOwnPage(event),
    });
    app.on('second-instance', (_event, argv, folder) => {
      this.window?.restore();
      this.window?.focus();
      if (this.opened.add(argv.slice(1), folder)) this.forward({ name: 'app.opened', payload: {} });
    });
    app.on('open-file', () => {
      this.forward({ name: 'app.opened', payload: {} });
    });
    app.on('window-all-closed', () => {
      app.quit();
    });
    // The system or a terminal asks to leave: there is nobody to answer a question.
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      process.on(signal, () => {
        void this.leave();
      });
    }
    this.openWindow();
  }

  private engineSetup(): EngineSetup {
    const { runsFolder, threads } = this.settings.current;
    return { runsFolder: runsFolder ?? this.places.runs, threads };
  }

  private openWindow(): void {
    applyLook(null, this.settings.current);
    const window = openWindow(this.places, () => this.settings.current);
    this.window = window;
    window.on('close', (event) => {
      if (this.mayClose) return;
      event.preventDefault();
      void this.close(window);
    });
    window.on('closed', () => {
      this.window = null;
    });
  }

  /** Asks if a run is going on, then leaves. */
  private async close(window: BrowserWindow): Promise<void> {
    if (this.engine.isBusy && !(await confirmStop(window))) return;
    window.hide();
    await this.leave();
  }

  /** Ends the engine in order, then the program. */
  private async leave(): Promise<void> {
    await this.engine.stop();
    this.mayClose = true;
    app.quit();
  }

  private forward(event: EngineEvent): void {
    this.keepAwake(this.engine.isBusy);
    if (this.window !== null && !this.window.webContents.isDestroyed()) this.window.webContents.send(IPC_EVENT, event.name, event.payload);
  }

  private keepAwake(wanted: boolean): void {
    if (wanted && this.awake === null) {
      this.awake = powerSaveBlocker.start('prevent-app-suspension');
    } else if (!wanted && this.awake !== null) {
      powerSaveBlocker.stop(this.awake);
      this.awake = null;
    }
  }

  private isOwnPage({ sender, senderFrame }: IpcMainInvokeEvent): boolean {
    return senderFrame !== null && sender === this.window?.webContents && senderFrame === sender.mainFrame && isPageAddress(senderFrame.url);
  }
}

/** True when the person chose to stop the run. */
async function confirmStop(window: BrowserWindow): Promise<boolean> {
  const { response } = await dialog.showMessageBox(window, {
    type: 'question',
    title: 'A run is going on',
    message: 'A run is going on. Stop it?',
    detail: 'What is done is kept. You can continue from there later, on the Home page.',
    buttons: ['Go on', 'Stop and keep the run to continue later'],
    defaultId: 0,
    cancelId: 0,
    noLink: true,
  });
  return response === 1;
}
