/**
 * What the main process and the engine process say to each other: requests with a number, answers with the same
 * number, and events in between. Requests were validated before they are sent, so these types are taken at their word.
 */
import type { Answer, EngineChannel, EventName, EventPayload, ParsedRequest, Reply } from '../preload/contract/channels';

/** From the main process to the engine. */
export type ToEngine =
  | { readonly type: 'call'; readonly id: number; readonly name: EngineChannel; readonly request: ParsedRequest<EngineChannel> }
  | { readonly type: 'shutdown' };

/** One event with its payload. */
export type EngineEvent = { [Name in EventName]: { readonly name: Name; readonly payload: EventPayload<Name> } }[EventName];

/** From the engine to the main process. */
export type FromEngine =
  | { readonly type: 'answer'; readonly id: number; readonly answer: Answer<Reply<EngineChannel>> }
  | ({ readonly type: 'event' } & EngineEvent);
