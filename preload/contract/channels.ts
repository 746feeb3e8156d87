/**
 * The whole bridge as one map: channel name to request and reply schemas, and the events that flow the other way.
 * Preload, handlers and the engine host follow from it by type; adding a call is one entry and one handler.
 */
import * as v from 'valibot';
import { inspectionSchema, textPreviewSchema } from './model';
import { columnsSchema, exportTargetSchema, lockSchema, modeSchema, recipeSchema, sizeSchema } from './recipe';
import { type errorDataSchema, estimateSchema, exportedSchema, runEventSchema, runResultSchema, runSummarySchema, sizeForecastSchema } from './run';
import { deviceSchema, settingsSchema, settingsViewSchema } from './settings';

const path = v.pipe(v.string(), v.minLength(1), v.maxLength(4096));
const runId = v.pipe(v.string(), v.regex(/^[0-9A-Za-z-]{1,64}$/));
const nothing = v.strictObject({});

/** Calls that the engine process answers. */
export const engineCalls = {
  'models.inspect': { request: v.strictObject({ path }), reply: inspectionSchema },
  'texts.preview': { request: v.strictObject({ path, model: v.optional(path), columns: v.optional(columnsSchema) }), reply: textPreviewSchema },
  'plan.size': {
    request: v.strictObject({
      model: path, size: sizeSchema, mode: modeSchema, target: exportTargetSchema, locks: v.optional(v.pipe(v.array(lockSchema), v.maxLength(2000))),
    }),
    reply: sizeForecastSchema,
  },
  'plan.check': { request: v.strictObject({ recipe: recipeSchema }), reply: estimateSchema },
  'runs.start': { request: v.strictObject({ recipe: recipeSchema }), reply: v.object({ runId: v.string() }) },
  'runs.continue': { request: v.strictObject({ runId }), reply: v.object({ runId: v.string() }) },
  'runs.cancel': { request: v.strictObject({ runId }), reply: nothing },
  'runs.list': { request: nothing, reply: v.array(runSummarySchema) },
  'runs.events': { request: v.strictObject({ runId }), reply: v.array(runEventSchema) },
  'runs.result': { request: v.strictObject({ runId }), reply: runResultSchema },
  'runs.delete': { request: v.strictObject({ runId }), reply: nothing },
  'runs.export': {
    request: v.strictObject({ runId, target: exportTargetSchema, out: path }),
    reply: exportedSchema,
  },
  /** Pieces of text arrive as `text.piece` events with the same `streamId` while it runs. */
  'text.generate': {
    request: v.strictObject({
      model: path, prompt: v.pipe(v.string(), v.maxLength(20000)), tokens: v.pipe(v.number(), v.safeInteger(), v.minValue(1), v.maxValue(4096)),
      seed: v.number(), temperature: v.pipe(v.number(), v.minValue(0), v.maxValue(5)), streamId: v.string(),
    }),
    reply: v.object({ text: v.string(), ids: v.array(v.number()), tokensPerSecond: v.number() }),
  },
  'text.stop': { request: v.strictObject({ streamId: v.string() }), reply: nothing },
  /** What this machine can compute on; starts graphics drivers, about a second. */
  'devices.list': { request: nothing, reply: v.array(deviceSchema) },
} as const;

/** Calls that the main process answers itself: dialogs, the desktop, facts about the program. */
const desktopCalls = {
  /** The bundled example: a model folder and starter texts with a word on each. */
  'app.example': {
    request: nothing,
    reply: v.object({
      model: v.string(),
      texts: v.array(v.object({ path: v.string(), name: v.string(), about: v.string(), licence: v.string() })),
    }),
  },
  'app.about': { request: nothing, reply: v.object({ version: v.string(), platform: v.string(), licences: v.string() }) },
  /** Files that the system asked to open and that were not taken yet. */
  'app.takeOpened': { request: nothing, reply: v.array(v.string()) },
  'dialogs.pickModel': { request: nothing, reply: v.nullable(v.string()) },
  'dialogs.pickModelFolder': { request: nothing, reply: v.nullable(v.string()) },
  'dialogs.pickTexts': { request: nothing, reply: v.array(v.string()) },
  'dialogs.pickFolder': { request: nothing, reply: v.nullable(v.string()) },
  /** A folder that does not exist yet, in the user's documents, for a result with this name. */
  'paths.suggestOut': { request: v.strictObject({ name: v.string() }), reply: v.string() },
  'desktop.showInFolder': { request: v.strictObject({ path }), reply: nothing },
  'desktop.openReport': { request: v.strictObject({ runId }), reply: nothing },
  'settings.read': { request: nothing, reply: settingsViewSchema },
  /** Takes effect at once; threads and the folder of runs when no run goes on. */
  'settings.write': { request: v.strictObject({ settings: settingsSchema }), reply: settingsViewSchema },
  /** A report without names, to be read before it is saved. */
  'diagnostics.write': { request: nothing, reply: v.object({ text: v.string() }) },
  /** Asks where, and writes the text there; null if the person thought better of it. */
  'diagnostics.save': { request: v.strictObject({ text: v.pipe(v.string(), v.maxLength(1_000_000)) }), reply: v.nullable(v.string()) },
} as const;

export const calls = { ...engineCalls, ...desktopCalls };

/** Events from the engine and the main process to the window. */
export const events = {
  'run.event': runEventSchema,
  'text.piece': v.object({ streamId: v.string(), text: v.string() }),
  /** The engine process ended unexpectedly; it is started again by itself. */
  'engine.lost': v.object({ message: v.string() }),
  /** The system asked to open files: `app.takeOpened` tells which. */
  'app.opened': nothing,
} as const;

export type Calls = typeof calls;
export type Channel = keyof Calls;
export type EngineChannel = keyof typeof engineCalls;
export type DesktopChannel = keyof typeof desktopCalls;
export type Request<Name extends Channel> = v.InferInput<Calls[Name]['request']>;
/** A request after validation: defaults filled in. */
export type ParsedRequest<Name extends Channel> = v.InferOutput<Calls[Name]['request']>;
export type Reply<Name extends Channel> = v.InferOutput<Calls[Name]['reply']>;
export type EventName = keyof typeof events;
export type EventPayload<Name extends EventName> = v.InferOutput<(typeof events)[Name]>;

/** How an answer travels: data or an error as data, so that the window decides by `code`. */
export type Answer<Value> = { readonly ok: true; readonly value: Value } | { readonly ok: false; readonly error: v.InferOutput<typeof errorDataSchema> };

/** What `window.shear` is: the only thing that the preload script exposes. */
export interface ShearBridge {
  call<Name extends Channel>(name: Name, request: Request<Name>): Promise<Answer<Reply<Name>>>;
  on<Name extends EventName>(name: Name, listener: (payload: EventPayload<Name>) => void): () => void;
  /** The path of a dropped or picked File; empty if it has none. */
  pathOf(file: File): string;
}
