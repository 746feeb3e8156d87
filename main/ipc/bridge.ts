/**
 * The one door from the window to the main process: checks who calls, what is called and with which data, then hands
 * the call to its handler. Whatever goes wrong travels back as data; nothing is thrown across.
 */
import { ipcMain, type IpcMainInvokeEvent } from 'electron';
import * as v from 'valibot';
import { calls, engineCalls, type Answer, type Channel, type DesktopChannel, type EngineChannel, type ParsedRequest, type Reply } from '../../preload/contract/channels';
import { IPC_CALL } from '../../preload/contract/ipc';
import { toAppError, UsageError } from '../engine/support/errors';

/** Sends a validated call to the engine process and resolves to its answer. */
export type CallEngine = <Name extends EngineChannel>(name: Name, request: ParsedRequest<Name>) => Promise<Answer<Reply<Name>>>;

/** One handler for each call that the main process answers itself. */
export type DesktopHandlers = { readonly [Name in DesktopChannel]: (request: ParsedRequest<Name>) => Promise<Reply<Name>> };

/** What the bridge needs from the application. */
export interface BridgeOptions {
  readonly callEngine: CallEngine;
  readonly desktop: DesktopHandlers;
  /** Whether this event comes from the top frame of the program's own page. */
  readonly isOwnPage: (event: IpcMainInvokeEvent) => boolean;
}

/** Starts to answer the window's calls. To be called once, before the window opens. */
export function openBridge(options: BridgeOptions): void {
  ipcMain.handle(IPC_CALL, async (event, name: unknown, request: unknown): Promise<Answer<Reply<Channel>>> => {
    try {
      if (!options.isOwnPage(event)) throw new UsageError("A call came from a page that is not this program's own.");
      return await dispatch(options, parseName(name), request);
    } catch (error) {
      return { ok: false, error: toAppError(error).toData() };
    }
  });
}

async function dispatch(options: BridgeOptions, name: Channel, request: unknown): Promise<Answer<Reply<Channel>>> {
  if (isEngineChannel(name)) return options.callEngine(name, parseRequest(name, request));
  return { ok: true, value: await callDesktop(options.desktop, name, request) };
}

async function callDesktop<Name extends DesktopChannel>(desktop: DesktopHandlers, name: Name, request: unknown): Promise<Reply<Name>> {
  return desktop[name](parseRequest(name, request));
}

function parseName(name: unknown): Channel {
  if (typeof name !== 'string' || !isChannel(name)) throw new UsageError(`There is no call named ${String(name)}.`, { details: { call: String(name) } });
  return name;
}

function isChannel(name: string): name is Channel {
  return Object.hasOwn(calls, name);
}

function isEngineChannel(name: Channel): name is EngineChannel {
  return Object.hasOwn(engineCalls, name);
}

/** Validates a request by its schema; all problems are told together, each with the field that has it. */
function parseRequest<Name extends Channel>(name: Name, request: unknown): ParsedRequest<Name> {
  const parsed = v.safeParse(calls[name].request, request);
  if (parsed.success) return parsed.output;
  const problems = parsed.issues.map((issue) => `${v.getDotPath(issue) ?? 'request'}: ${issue.message}`);
  throw new UsageError(`The call ${name} does not fit its rules: ${problems.join('; ')}`, { details: { call: name, problems } });
}
