/**
 * Entry of the engine process, which Electron's main process forks: receives calls, hands them to the engine's service,
 * sends answers and events back. It knows nothing of windows. Its first argument is the folder of the
 * runs, its second, where there is one, the number of threads.
 */
import { constants, setPriority } from 'node:os';
import type { EngineChannel, EventName, EventPayload, ParsedRequest, Reply } from '../preload/contract/channels';
import { createEngineService } from './engine/jobs/service';
import { InternalError, toAppError } from './engine/support/errors';
import type { EngineEvent, FromEngine, ToEngine } from './wire';

/** The parts of Electron's parent port that are used here. */
interface ParentPort {
  on(event: 'message', listener: (event: { readonly data: ToEngine }) => void): void;
  postMessage(message: FromEngine): void;
}

function parentPort(): ParentPort {
  const host: { readonly parentPort?: ParentPort } = process;
  if (host.parentPort === undefined) throw new InternalError('The engine process has to be started by the application.');
  return host.parentPort;
}

const port = parentPort();
const runsFolder = process.argv[2];
if (runsFolder === undefined) throw new InternalError('The engine process was started without the folder of the runs.');

function emit<Name extends EventName>(name: Name, payload: EventPayload<Name>): void {
  // The pair of a name and its own payload is one of EngineEvent's members, which TypeScript can't see for a type parameter.
  const event = { name, payload } as EngineEvent;
  port.postMessage({ type: 'event', ...event });
}

// Before any thread computes: they inherit it. The engine may then use all cores, and gives way to the window.
setPriority(constants.priority.PRIORITY_BELOW_NORMAL);

const threads = Number(process.argv[3]);
const service = createEngineService({ runsFolder, emit, ...(threads > 0 ? { threads } : {}) });
/** The calls alone: a map by name, so that a name and its request stay together. */
const calls: { readonly [Name in EngineChannel]: (request: ParsedRequest<Name>) => Promise<Reply<Name>> } = service;

async function answer<Name extends EngineChannel>(id: number, name: Name, request: ParsedRequest<Name>): Promise<void> {
  try {
    const value = await calls[name](request);
    port.postMessage({ type: 'answer', id, answer: { ok: true, value } });
  } catch (error) {
    port.postMessage({ type: 'answer', id, answer: { ok: false, error: toAppError(error).toData() } });
  }
}

// Ctrl-C in a terminal reaches every process of the program; the main process decides what becomes of a run.
process.on('SIGINT', () => undefined);

port.on('message', ({ data }) => {
  if (data.type === 'call') void answer(data.id, data.name, data.request);
  else void service.shutdown().finally(() => process.exit(0));
});
