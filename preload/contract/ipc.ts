/** Names of the two Electron channels under the bridge; apart from the schemas, so that the preload script stays small. */

/** Window to main process: `(name, request)`, answered with an Answer. */
export const IPC_CALL = 'shear:call';

/** Main process to window: `(name, payload)`. */
export const IPC_EVENT = 'shear:event';
