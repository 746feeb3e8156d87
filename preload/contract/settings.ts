/** What a person sets once for the whole program, as it lies in the settings file and crosses the bridge. */
import * as v from 'valibot';

/** Looks of the window; `system` follows the desktop. */
export const THEMES = ['system', 'light', 'dark', 'contrast'] as const;

/** Sizes of text and controls that are offered, in percent. */
export const TEXT_PERCENTS = [100, 115, 130, 150] as const;

/** Models that are remembered at most. */
export const MOST_RECENT_MODELS = 5;

const folder = v.nullable(v.pipe(v.string(), v.minLength(1), v.maxLength(4096)));

export const settingsSchema = v.object({
  version: v.optional(v.literal(1), 1),
  theme: v.optional(v.picklist(THEMES), 'system'),
  /** Percent of the usual size. */
  textPercent: v.optional(v.pipe(v.number(), v.integer(), v.minValue(50), v.maxValue(300)), 100),
  /** Processor threads of a computation; null for all. */
  threads: v.optional(v.nullable(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(1024))), null),
  /** Where results are suggested; null for the user's documents. */
  resultsFolder: v.optional(folder, null),
  /** Where runs are kept; null for the program's own folder. */
  runsFolder: v.optional(folder, null),
  /** Paths of models that were opened, the last one first. */
  recentModels: v.optional(v.pipe(v.array(v.pipe(v.string(), v.minLength(1), v.maxLength(4096))), v.maxLength(MOST_RECENT_MODELS)), []),
});
export type Settings = v.InferOutput<typeof settingsSchema>;

/** The settings with what the window says beside them. */
export const settingsViewSchema = v.object({
  settings: settingsSchema,
  /** Why the settings file could not be used, in a sentence; null if it could. */
  problem: v.nullable(v.string()),
  /** What holds where nothing is set. */
  usual: v.object({ threads: v.number(), resultsFolder: v.string(), runsFolder: v.string() }),
});
export type SettingsView = v.InferOutput<typeof settingsViewSchema>;

/** Something to compute on; `reason` says in words why it cannot be used. */
export const deviceSchema = v.object({ name: v.string(), label: v.string(), usable: v.boolean(), reason: v.nullable(v.string()) });
export type DeviceInfo = v.InferOutput<typeof deviceSchema>;
