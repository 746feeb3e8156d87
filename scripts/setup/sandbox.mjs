// Decides whether Chromium's sandbox can work for this user on this machine.
import { existsSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { say } from './say.mjs';

const RESTRICTION = '/proc/sys/kernel/apparmor_restrict_unprivileged_userns';

/** The switches that Electron needs before the application's folder; says so when the sandbox has to be left off. */
export function sandboxArguments(electron) {
  if (process.platform !== 'linux') return [];
  if (process.getuid?.() === 0) return ['--no-sandbox'];
  const helper = join(dirname(electron), 'chrome-sandbox');
  const hasHelper = existsSync(helper) && statSync(helper).uid === 0 && (statSync(helper).mode & 0o4000) !== 0;
  const isRestricted = existsSync(RESTRICTION) && readFileSync(RESTRICTION, 'utf8').trim() === '1';
  if (!isRestricted || hasHelper) return [];
  say('this system does not let programs in a home folder use the sandbox of the window (AppArmor); opening it without');
  return ['--no-sandbox'];
}
