/**
 * Answers every call of the contract that the engine process receives: one method a channel. Requests were validated
 * before they come here; errors are thrown as AppErrors and travel as data. One run at a time.
 */
import type { EngineChannel, EventName, EventPayload, ParsedRequest, Reply } from '../../../preload/contract/channels';
import { previewText } from '../data/preview';
import { inspectCheckpoint, openCheckpoint } from '../model/checkpoint';
import type { ModelConfig } from '../model/config';
import { UsageError } from '../support/errors';
import { loadCheckpointTokenizer } from './checkpoint-tokenizer';
import type { Speed } from './estimate';
import { exportRun } from './export-run';
import { continueText } from './generate-text';
import { computingDevices, defaultThreads } from './machine';
import { ModelCache } from './model-cache';
import { PAUSE } from './run';
import { RunFolder, canContinue, listRuns } from './run-folder';
import { resolveLocks } from '../pruning/locks';
import { forecastSize } from './size';
import { checkRecipe, executeFolder, prepareRun, reopenRun } from './start';

/** The engine as the contract sees it. `shutdown` pauses a run, so that it can be continued, and frees everything. */
export type EngineService = { [Name in EngineChannel]: (request: ParsedRequest<Name>) => Promise<Reply<Name>> } & {
  shutdown(): Promise<void>;
};

export interface EngineServiceOptions {
  readonly runsFolder: string;
  readonly emit: <Name extends EventName>(name: Name, payload: EventPayload<Name>) => void;
  /** Processor threads; all unless given. */
  readonly threads?: number;
}

/** The run that is going on in this process. */
interface ActiveRun {
  readonly runId: string;
  readonly controller: AbortController;
  readonly ended: Promise<void>;
  /** Whether its end was told already; what is left is tidying. */
  isOver: boolean;
}

/** Makes the service of one engine process. */
export function createEngineService(options: EngineServiceOptions): EngineService {
  const { runsFolder, emit } = options;
  const threads = options.threads ?? defaultThreads();
  const models = new ModelCache(threads);
  const facts = new ModelFacts();
  const streams = new Map<string, AbortController>();
  let active: ActiveRun | null = null;
  let starting = false;

  const begin = async (prepare: () => Promise<RunFolder>): Promise<{ runId: string }> => {
    // Who hears that a run has ended may start the next one at once.
    if (active?.isOver === true && !starting) await active.ended;
    if (active !== null || starting) {
      throw new UsageError('Another run is going on. Shear works on one model at a time.', { hint: 'Wait until it has finished, or cancel it first.' });
    }
    starting = true;
    try {
      await models.clear();
      const folder = await prepare();
      const controller = new AbortController();
      const run = executeFolder(folder, {
        threads,
        signal: controller.signal,
        emit: (event) => {
          if (event.type === 'state' && event.state !== 'running' && active?.runId === folder.runId) active.isOver = true;
          emit('run.event', event);
        },
      });
      // The outcome is on disk and went out as an event; nobody waits here for the error.
      const ended = run.then(() => undefined, () => undefined).finally(() => { active = null; });
      active = { runId: folder.runId, controller, ended, isOver: false };
      return { runId: folder.runId };
    } finally {
      starting = false;
    }
  };

  return {
    'models.inspect': ({ path }) => {
      facts.forget(path);
      return inspectCheckpoint(path);
    },

    'texts.preview': async ({ path, model, columns }) => {
      if (model === undefined) return previewText(path, null, { columns });
      const checkpoint = await openCheckpoint(model);
      try {
        return await previewText(path, await loadCheckpointTokenizer(checkpoint), { columns });
      } finally {
        await checkpoint.close();
      }
    },

    'plan.size': async ({ model, size, mode, target, locks = [] }) => {
      const config = await facts.config(model);
      return forecastSize(config, size, mode, target, resolveLocks(config, locks));
    },

    'plan.check': async ({ recipe }) => {
      const key = `${recipe.training.batch}x${recipe.training.length}`;
      const { estimate, speed } = await checkRecipe(recipe, runsFolder, { speed: facts.speed(recipe.model, key) });
      if (speed !== null) facts.keepSpeed(recipe.model, key, speed);
      return estimate;
    },

    'runs.start': ({ recipe }) => {
      const key = `${recipe.training.batch}x${recipe.training.length}`;
      return begin(() => prepareRun(recipe, runsFolder, { speed: facts.speed(recipe.model, key) }));
    },

    'runs.continue': ({ runId }) => begin(() => reopenRun(runId, runsFolder)),

    'runs.cancel': async ({ runId }) => {
      if (active?.runId === runId) active.controller.abort('cancel');
      else await cancelStopped(RunFolder.open(runsFolder, runId));
      return {};
    },

    'runs.list': () => listRuns(runsFolder),
    'runs.events': ({ runId }) => RunFolder.open(runsFolder, runId).readEvents(),
    'runs.result': ({ runId }) => RunFolder.open(runsFolder, runId).readResult(),

    'runs.delete': async ({ runId }) => {
      await RunFolder.open(runsFolder, runId).delete();
      return {};
    },

    'runs.export': async ({ runId, target, out }) => {
      await models.clear();
      return exportRun(RunFolder.open(runsFolder, runId), { target, out, threads });
    },

    'text.generate': async ({ model, prompt, tokens, seed, temperature, streamId }) => {
      if (streams.has(streamId)) throw new UsageError(`A text called ${streamId} is being written already.`);
      const controller = new AbortController();
      streams.set(streamId, controller);
      try {
        const { usable, executor } = await models.use(model);
        return await continueText(executor, usable, prompt, {
          tokens, seed, temperature, signal: controller.signal, keepWhenStopped: true,
          onText: (text) => emit('text.piece', { streamId, text }),
        });
      } finally {
        streams.delete(streamId);
      }
    },

    'text.stop': ({ streamId }) => {
      streams.get(streamId)?.abort();
      return Promise.resolve({});
    },

    'devices.list': async () => (await computingDevices()).map((device) => ({
      name: device.name, label: device.label, usable: device.usable, reason: device.usable ? null : device.reason,
    })),

    shutdown: async () => {
      for (const controller of streams.values()) controller.abort();
      active?.controller.abort(PAUSE);
      await active?.ended;
      await models.clear();
    },
  };
}

/** A run that nobody works on any more, but that could be continued, is put aside. */
async function cancelStopped(folder: RunFolder): Promise<void> {
  const status = await folder.readStatus();
  if (status.state === 'running') throw new UsageError('This run belongs to another window or program.', { hint: 'Cancel it there.' });
  if (canContinue(status.state)) await folder.writeStatus({ ...status, state: 'cancelled' });
}

/** What was learnt about models in this process: asking again while a slider moves must cost nothing. */
class ModelFacts {
  private readonly configs = new Map<string, ModelConfig>();
  private readonly speeds = new Map<string, Speed>();

  async config(path: string): Promise<ModelConfig> {
    const known = this.configs.get(path);
    if (known !== undefined) return known;
    const checkpoint = await openCheckpoint(path);
    await checkpoint.close();
    this.configs.set(path, checkpoint.config);
    return checkpoint.config;
  }

  speed(path: string, key: string): Speed | undefined {
    return this.speeds.get(`${path}\n${key}`);
  }

  keepSpeed(path: string, key: string, speed: Speed): void {
    this.speeds.set(`${path}\n${key}`, speed);
  }

  /** A model that is looked at anew may have changed on disk. */
  forget(path: string): void {
    this.configs.delete(path);
    for (const key of [...this.speeds.keys()]) if (key.startsWith(`${path}\n`)) this.speeds.delete(key);
  }
}
