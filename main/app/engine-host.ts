/**
 * Keeps the engine process: starts it when it is first needed and again after it was lost, matches answers to calls,
 * passes events on. The engine computes for seconds without listening, so nothing here waits for it without an end.
 */
import { utilityProcess, type UtilityProcess } from 'electron';
import type { Answer, EngineChannel, EventPayload, ParsedRequest, Reply } from '../../preload/contract/channels';
import type { EngineEvent, FromEngine, ToEngine } from '../wire';

/** What an engine process is started with. */
export interface EngineSetup {
  readonly runsFolder: string;
  /** Processor threads; null for all. */
  readonly threads: number | null;
}

/** Calls at which an engine of an old setup may be put aside for a new one: none of them belongs to something under way. */
const FRESH_STARTS: ReadonlySet<EngineChannel> = new Set(['runs.list', 'runs.start', 'runs.continue']);

/** What the host needs from the application. */
export interface EngineHostOptions {
  /** Path of the built worker. */
  readonly worker: string;
  readonly setup: EngineSetup;
  /** Receives the engine's events, and `engine.lost` when its process ended by itself. */
  readonly onEvent: (event: EngineEvent) => void;
}

/** How long an engine that was asked to stop may take to come to a state that can be kept (`SoftStop`) and to write it; afterwards it is killed. */
const STOP_MS = 30_000;

const LOST = {
  message: 'The part of the program that computes has ended unexpectedly.',
  hint: 'It starts again by itself. A run that was going on is kept and can be continued; if this happens again, there may be too little memory.',
};

/** One engine process at a time, started on demand. */
export class EngineHost {
  private readonly options: EngineHostOptions;
  private process: UtilityProcess | null = null;
  private readonly waiting = new Map<number, (answer: Answer<Reply<EngineChannel>>) => void>();
  private readonly active = new Set<string>();
  private lastId = 0;
  private isStopping = false;
  private setup: EngineSetup;
  /** Whether the process that runs was started with an older setup. */
  private isOutdated = false;
  private replacing: Promise<void> | null = null;

  constructor(options: EngineHostOptions) {
    this.options = options;
    this.setup = options.setup;
  }

  /** What engines are started with from now on. One that runs is replaced as soon as it has nothing to do. */
  configure(setup: EngineSetup): void {
    const { runsFolder, threads } = this.setup;
    if (runsFolder === setup.runsFolder && threads === setup.threads) return;
    this.setup = setup;
    this.isOutdated = this.process !== null;
  }

  /** Whether a run is going on, as its events tell. */
  get isBusy(): boolean {
    return this.active.size > 0;
  }

  /** Sends a validated call; resolves to the engine's answer, or to an error answer when the engine is lost meanwhile. */
  async call<Name extends EngineChannel>(name: Name, request: ParsedRequest<Name>): Promise<Answer<Reply<Name>>> {
    if (this.isOutdated && !this.isBusy && this.waiting.size === 0 && FRESH_STARTS.has(name)) this.replacing ??= this.replace();
    await this.replacing;
    const engine = this.process ?? this.start();
    const id = ++this.lastId;
    const answer = await new Promise<Answer<Reply<EngineChannel>>>((resolve) => {
      this.waiting.set(id, resolve);
      engine.postMessage({ type: 'call', id, name, request } satisfies ToEngine);
    });
    return answer;
  }

  /** Asks the engine to save its runs and end; kills it after half a minute. A killed run continues from its last state. */
  async stop(): Promise<void> {
    this.isStopping = true;
    if (this.process !== null) await end(this.process);
  }

  /** Ends an engine with an older setup; the next call starts another. */
  private async replace(): Promise<void> {
    const engine = this.process;
    // Before it ends, so that its end is nobody's loss.
    this.process = null;
    if (engine !== null) await end(engine);
    this.isOutdated = false;
    this.replacing = null;
  }

  private start(): UtilityProcess {
    const { runsFolder, threads } = this.setup;
    const args = [runsFolder, ...(threads === null ? [] : [String(threads)])];
    const engine = utilityProcess.fork(this.options.worker, args, { serviceName: 'Shear engine', stdio: 'inherit' });
    engine.on('message', (message: FromEngine) => {
      this.receive(message);
    });
    engine.on('exit', () => {
      if (this.process === engine) this.lose();
    });
    this.process = engine;
    return engine;
  }

  private receive(message: FromEngine): void {
    if (message.type === 'answer') {
      this.waiting.get(message.id)?.(message.answer);
      this.waiting.delete(message.id);
      return;
    }
    if (message.name === 'run.event') this.noteRun(message.payload);
    this.options.onEvent(message);
  }

  private noteRun(event: EventPayload<'run.event'>): void {
    if (event.type === 'state' && event.state !== 'running') this.active.delete(event.runId);
    else this.active.add(event.runId);
  }

  private lose(): void {
    this.process = null;
    this.active.clear();
    const unanswered = [...this.waiting.values()];
    this.waiting.clear();
    for (const resolve of unanswered) resolve({ ok: false, error: { code: 'internal', ...LOST, details: {} } });
    if (!this.isStopping) this.options.onEvent({ name: 'engine.lost', payload: { message: LOST.message } });
  }
}

/** Asks an engine to save its runs and end; kills it if it does not in time. */
async function end(engine: UtilityProcess): Promise<void> {
  await new Promise<void>((resolve) => {
    const timer = setTimeout(() => engine.kill(), STOP_MS);
    engine.once('exit', () => {
      clearTimeout(timer);
      resolve();
    });
    engine.postMessage({ type: 'shutdown' } satisfies ToEngine);
  });
}
