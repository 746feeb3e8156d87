/**
 * Keeps the engine process: starts it when it is first needed and again after it was lost, matches answers to calls,
 * passes events on. The engine computes for seconds without listening, so nothing here waits for it without an end.
 */
import { utilityProcess, type UtilityProcess } from 'electron';
import type { Answer, EngineChannel, EventPayload, ParsedRequest, Reply } from '../../preload/contract/channels';
import type { EngineEvent, FromEngine, ToEngine } from '../wire';

/** What the host needs from the application. */
export interface EngineHostOptions {
  /** Path of the built worker. */
  readonly worker: string;
  readonly runsFolder: string;
  /** Receives the engine's events, and `engine.lost` when its process ended by itself. */
  readonly onEvent: (event: EngineEvent) => void;
}

/** How long an engine that was asked to stop may finish its current computation; afterwards it is killed. */
const STOP_MS = 10_000;

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

  constructor(options: EngineHostOptions) {
    this.options = options;
  }

  /** Whether a run is going on, as its events tell. */
  get isBusy(): boolean {
    return this.active.size > 0;
  }

  /** Sends a validated call; resolves to the engine's answer, or to an error answer when the engine is lost meanwhile. */
  async call<Name extends EngineChannel>(name: Name, request: ParsedRequest<Name>): Promise<Answer<Reply<Name>>> {
    const engine = this.process ?? this.start();
    const id = ++this.lastId;
    const answer = await new Promise<Answer<Reply<EngineChannel>>>((resolve) => {
      this.waiting.set(id, resolve);
      engine.postMessage({ type: 'call', id, name, request } satisfies ToEngine);
    });
    return answer;
  }

  /** Asks the engine to save its runs and end; kills it after ten seconds. A killed run continues at its last stage. */
  async stop(): Promise<void> {
    this.isStopping = true;
    const engine = this.process;
    if (engine === null) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(() => engine.kill(), STOP_MS);
      engine.once('exit', () => {
        clearTimeout(timer);
        resolve();
      });
      engine.postMessage({ type: 'shutdown' } satisfies ToEngine);
    });
  }

  private start(): UtilityProcess {
    const engine = utilityProcess.fork(this.options.worker, [this.options.runsFolder], { serviceName: 'Shear engine', stdio: 'inherit' });
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
