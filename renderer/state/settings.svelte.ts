/** What is set for the whole program, and what this machine can compute on. */
import type { ShearBridge } from '../../preload/contract/channels';
import { MOST_RECENT_MODELS, type DeviceInfo, type Settings, type SettingsView } from '../../preload/contract/settings';
import { ask, errorData, type ErrorData } from './bridge.svelte';

/** The settings that name a folder. */
export type FolderSetting = 'resultsFolder' | 'runsFolder';

/** The settings in use; a change shows at once and is written in the background. Refusals land in `error`. */
export class SettingsState {
  readonly #bridge: ShearBridge;
  view = $state.raw<SettingsView | null>(null);
  devices = $state.raw<readonly DeviceInfo[] | null>(null);
  error = $state.raw<ErrorData | null>(null);
  #changes = 0;
  #writing: Promise<void> = Promise.resolve();
  #areDevicesAsked = false;

  constructor(bridge: ShearBridge) {
    this.#bridge = bridge;
  }

  async load(): Promise<void> {
    try {
      this.view = await ask(this.#bridge, 'settings.read', {});
    } catch (error) {
      this.error = errorData(error);
    }
  }

  /** Looks once what can be computed on: drivers take a second to start. */
  async loadDevices(): Promise<void> {
    if (this.#areDevicesAsked) return;
    this.#areDevicesAsked = true;
    try {
      this.devices = await ask(this.#bridge, 'devices.list', {});
    } catch (error) {
      this.#areDevicesAsked = false;
      this.error = errorData(error);
    }
  }

  /** Takes one or more settings and writes them, one change after the other. What is refused goes back to what holds. */
  async change(part: Partial<Settings>): Promise<void> {
    const { view } = this;
    if (view === null) return;
    const settings = { ...view.settings, ...part };
    this.view = { ...view, settings };
    this.error = null;
    this.#changes += 1;
    const mine = this.#changes;
    const before = this.#writing;
    this.#writing = (async () => {
      await before;
      await this.#write(settings, () => mine === this.#changes);
    })();
    await this.#writing;
  }

  /** Models that were opened, the last one first. */
  get recentModels(): readonly string[] {
    return this.view?.settings.recentModels ?? [];
  }

  /** Puts a model at the head of those that were opened. */
  async remember(path: string): Promise<void> {
    if (this.recentModels[0] === path) return;
    await this.change({ recentModels: [path, ...this.recentModels.filter((other) => other !== path)].slice(0, MOST_RECENT_MODELS) });
  }

  /** Takes a model off the list; it stays where it is. */
  async forget(path: string): Promise<void> {
    await this.change({ recentModels: this.recentModels.filter((other) => other !== path) });
  }

  /** Lets the person choose a folder. */
  async pickFolder(setting: FolderSetting): Promise<void> {
    try {
      const folder = await ask(this.#bridge, 'dialogs.pickFolder', {});
      if (folder !== null) await this.change({ [setting]: folder });
    } catch (error) {
      this.error = errorData(error);
    }
  }

  async #write(settings: Settings, isNewest: () => boolean): Promise<void> {
    try {
      const view = await ask(this.#bridge, 'settings.write', { settings });
      if (isNewest()) this.view = view;
    } catch (error) {
      if (!isNewest()) return;
      await this.load();
      this.error = errorData(error);
    }
  }
}
