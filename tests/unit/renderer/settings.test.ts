/** The settings and the report as the window keeps them. */
import { describe, expect, it } from 'vitest';
import * as v from 'valibot';
import { settingsSchema, type Settings, type SettingsView } from '../../../preload/contract/settings';
import { AppState } from '../../../renderer/state/app.svelte';
import { CallError } from '../../../renderer/state/bridge.svelte';
import { ReportState } from '../../../renderer/state/report.svelte';
import { SettingsState } from '../../../renderer/state/settings.svelte';
import { text } from '../../../renderer/text/catalogue';
import { FakeBridge, inspection } from './fake-bridge';

function view(settings: Settings = v.parse(settingsSchema, {})): SettingsView {
  return { settings, problem: null, usual: { threads: 8, resultsFolder: '/home/ada/Documents', runsFolder: '/home/ada/runs' } };
}

function bridge(): FakeBridge {
  let stored = view();
  return new FakeBridge({
    'settings.read': () => stored,
    'settings.write': ({ settings }) => (stored = view(v.parse(settingsSchema, settings))),
    'devices.list': () => [{ name: 'cpu', label: 'the processor', usable: true, reason: null }],
    'dialogs.pickFolder': () => '/mnt/results',
  });
}

describe('the settings', () => {
  it('show a change at once and write it', async () => {
    const fake = bridge();
    const settings = new SettingsState(fake);
    await settings.load();
    const written = settings.change({ theme: 'dark' });
    expect(settings.view?.settings.theme).toBe('dark');
    await written;
    expect(fake.requests('settings.write')).toMatchObject([{ settings: { theme: 'dark', textPercent: 100 } }]);
  });

  it('keep all of several quick changes, in their order', async () => {
    const fake = bridge();
    const settings = new SettingsState(fake);
    await settings.load();
    await Promise.all([settings.change({ theme: 'dark' }), settings.change({ threads: 2 }), settings.change({ theme: 'light' })]);
    expect(settings.view?.settings).toMatchObject({ theme: 'light', threads: 2 });
    expect(fake.requests('settings.write')).toHaveLength(3);
    expect(fake.requests('settings.write')[2]).toMatchObject({ settings: { theme: 'light', threads: 2 } });
  });

  it('go back to what holds when a change is refused, and say why', async () => {
    const fake = bridge();
    fake.answers['settings.write'] = () => {
      throw new CallError({ code: 'not-found', message: 'May not write there.', details: {} });
    };
    const settings = new SettingsState(fake);
    await settings.load();
    await settings.pickFolder('resultsFolder');
    expect(settings.view?.settings.resultsFolder).toBeNull();
    expect(settings.error?.message).toBe('May not write there.');
  });

  it('take a folder that was picked, and none when the person thought better of it', async () => {
    const fake = bridge();
    const settings = new SettingsState(fake);
    await settings.load();
    await settings.pickFolder('runsFolder');
    expect(settings.view?.settings.runsFolder).toBe('/mnt/results');
    fake.answers['dialogs.pickFolder'] = () => null;
    await settings.pickFolder('runsFolder');
    expect(fake.requests('settings.write')).toHaveLength(1);
  });

  it('remember the last models that were opened, each once, and forget one when asked', async () => {
    const settings = new SettingsState(bridge());
    await settings.load();
    for (const path of ['/1', '/2', '/3', '/1', '/4', '/5', '/6']) await settings.remember(path);
    expect(settings.recentModels).toEqual(['/6', '/5', '/4', '/1', '/3']);
    await settings.forget('/4');
    expect(settings.recentModels).toEqual(['/6', '/5', '/1', '/3']);
  });

  it('look at the devices once, and again after a failure', async () => {
    const fake = new FakeBridge({});
    const settings = new SettingsState(fake);
    await settings.loadDevices();
    expect(settings.error).not.toBeNull();
    fake.answers['devices.list'] = () => [];
    await settings.loadDevices();
    await settings.loadDevices();
    expect(fake.requests('devices.list')).toHaveLength(2);
    expect(settings.devices).toEqual([]);
  });
});

describe('the report', () => {
  it('is saved as the person left it, where the person says', async () => {
    const fake = new FakeBridge({ 'diagnostics.write': () => ({ text: 'one\ntwo' }), 'diagnostics.save': () => '/home/ada/r.txt' });
    const report = new ReportState(fake);
    await report.write();
    report.text = report.text.replace('\ntwo', '');
    await report.save();
    expect(fake.requests('diagnostics.save')).toEqual([{ text: 'one' }]);
    expect(report.savedAt).toBe('/home/ada/r.txt');
    await report.write();
    expect(report.savedAt).toBe('');
  });

  it('says what went wrong', async () => {
    const report = new ReportState(new FakeBridge({}));
    await report.write();
    expect(report.error).not.toBeNull();
    expect(report.busy).toBe(false);
  });
});

describe('recent models', () => {
  it('are those that could be used, without the example', async () => {
    const fake = bridge();
    fake.answers['app.example'] = () => ({ model: '/example', texts: [] });
    fake.answers['models.inspect'] = ({ path }) => {
      if (path === '/bad') throw new CallError({ code: 'format', message: 'No model.', details: {} });
      return inspection(path);
    };
    const app = new AppState(fake);
    await app.start();
    await app.tryExample();
    await app.openModel('/good');
    await app.openModel('/bad');
    expect(app.settings.recentModels).toEqual(['/good']);
  });
});

describe('settings and help', () => {
  it('leave the job in the wizard as it is, and take a dropped model', async () => {
    const fake = bridge();
    fake.answers['models.inspect'] = ({ path }) => inspection(path);
    const app = new AppState(fake);
    await app.openModel('/x');
    app.goTo('help');
    expect(app.canGoOn).toBe(false);
    app.goTo('model');
    expect(app.job?.model.path).toBe('/x');
    app.goTo('settings');
    expect(fake.requests('devices.list')).toHaveLength(1);
    await app.takePaths(['/y']);
    expect(app.page).toBe('model');
    expect(app.job?.model.path).toBe('/y');
  });

  it('explain each word once', () => {
    const names = Object.values(text.glossary).map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
  });
});
