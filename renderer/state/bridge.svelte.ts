/** The one place that talks to the bridge: it unwraps answers and turns refusals into a throwable error. */
import type { Answer, Channel, Reply, Request, ShearBridge } from '../../preload/contract/channels';

/** An error as data, as it crosses from the engine. Pages decide by `code`. */
export type ErrorData = Extract<Answer<unknown>, { readonly ok: false }>['error'];

/** A refusal by the engine or the main process. */
export class CallError extends Error {
  readonly data: ErrorData;

  constructor(data: ErrorData) {
    super(data.message);
    this.name = 'CallError';
    this.data = data;
  }
}

/**
 * Calls the other side and returns its answer; throws CallError on a refusal.
 * The request is copied first because Svelte's reactive proxies cannot cross the context bridge.
 */
export async function ask<Name extends Channel>(
  bridge: ShearBridge,
  name: Name,
  request: Request<Name>,
): Promise<Reply<Name>> {
  const plain = $state.snapshot(request) as Request<Name>;
  const answer = await bridge.call(name, plain);
  if (answer.ok) return answer.value;
  throw new CallError(answer.error);
}

/** Whatever was thrown, as data that ErrorNotice can show. */
export function errorData(error: unknown): ErrorData {
  if (error instanceof CallError) return error.data;
  const message = error instanceof Error ? error.message : String(error);
  return { code: 'internal', message, details: {} };
}
