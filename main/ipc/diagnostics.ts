/** The report that a person can hand to somebody who helps: the machine, the settings, the last runs. No texts, no names. */
import { arch, cpus, freemem, hostname, homedir, platform, release, totalmem, userInfo } from 'node:os';
import { basename } from 'node:path';
import type { RunSummary } from '../../preload/contract/run';
import type { DeviceInfo, Settings } from '../../preload/contract/settings';
import type { Identity } from './redact';

/** What goes into a report beside the machine; an error in words where a part could not be had. */
export interface ReportParts {
  readonly version: string;
  readonly electron: string;
  readonly settings: Settings;
  readonly settingsProblem: string | null;
  readonly devices: readonly DeviceInfo[] | string;
  readonly runs: readonly RunSummary[] | string;
}

/** Runs that a report tells of, the newest first. */
const MOST_RUNS = 10;

/** The report as lines of text, not yet redacted. Models are named by the last part of their path; texts and prompts are left out. */
export function writeReport({ version, electron, settings, settingsProblem, devices, runs }: ReportParts): string {
  const processors = cpus();
  // Which models somebody has is nobody's business.
  const shown = { ...settings, recentModels: settings.recentModels.length };
  const lines = [
    `Shear ${version}, Electron ${electron}, Node ${process.versions.node}`,
    `System: ${platform()} ${release()} ${arch()}`,
    `Processor: ${processors[0]?.model.trim() ?? 'unknown'}, ${String(processors.length)} threads`,
    `Memory: ${gigabytes(totalmem())}, ${gigabytes(freemem())} free`,
    '',
    'Settings',
    ...Object.entries(shown).map(([name, value]) => `  ${name}: ${value === null ? 'as usual' : String(value)}`),
    ...(settingsProblem === null ? [] : [`  ${settingsProblem}`]),
    '',
    'What can be computed on',
    ...(typeof devices === 'string' ? [`  ${devices}`] : devices.map(({ label, reason }) => `  ${label}: ${reason ?? 'works'}`)),
    '',
    'Runs',
    ...(typeof runs === 'string' ? [`  ${runs}`] : runs.length === 0 ? ['  none'] : runs.slice(0, MOST_RUNS).flatMap(describeRun)),
  ];
  return `${lines.join('\n')}\n`;
}

/** The person and the computer that a report must not name. */
export function identity(): Identity {
  let user = '';
  try {
    user = userInfo().username;
  } catch {
    // A user without an entry in the system's list has no name to hide.
  }
  return { home: homedir(), user, computer: hostname() };
}

function describeRun({ startedAt, state, lastStage, recipe, error }: RunSummary): string[] {
  const { size, mode, locks, budgetTokens, exports, method, training } = recipe;
  return [
    `  ${new Date(startedAt).toISOString()}  ${state}${lastStage === null ? '' : ` after ${lastStage}`}`,
    `    model ${basename(recipe.model)}, size ${JSON.stringify(size)}, ${mode}, ${String(locks.length)} locks, ${String(recipe.sources.length)} texts, ${String(budgetTokens)} tokens`,
    `    files ${exports.map(({ format, dtype }) => `${format} ${dtype}`).join(', ')}; ${method.compensation}, ${training.precision}, batch ${String(training.batch)} x ${String(training.length)}`,
    ...(error === null ? [] : [`    ${error.code}: ${error.message}`]),
  ];
}

function gigabytes(bytes: number): string {
  return `${(bytes / 1e9).toFixed(1)} GB`;
}
