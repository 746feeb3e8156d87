/** The one place where the runtime is asked for a session, so that nothing of it runs before it is told to report nothing. */
import { InferenceSession } from 'onnxruntime-node';

/**
 * The runtime (1.30 for Linux, seen in its library) holds a collector of uses that starts with the first session, leaves
 * files in the temporary folder and knows an address to send to, unless this is set by then. Nothing that people do here
 * is anybody else's business.
 */
const SILENCE = 'ORT_DISABLE_TELEMETRY';

/** A session from a serialised model or a model file, with the runtime's own errors. */
export async function createSession(model: Uint8Array | string, options: InferenceSession.SessionOptions): Promise<InferenceSession> {
  process.env[SILENCE] = '1';
  return typeof model === 'string' ? InferenceSession.create(model, options) : InferenceSession.create(model, options);
}
