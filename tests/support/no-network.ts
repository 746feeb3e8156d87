/** A place without any network: a network namespace of its own (`unshare`, in util-linux), in which not even the loopback is up. */
import { spawnSync } from 'node:child_process';

/** Put before a command, it lets the command run without a network. */
export const WITHOUT_NETWORK = ['unshare', '--map-root-user', '--net', '--'] as const;

/** Whether this system lets anybody make such a place. */
export function canLeaveNetwork(): boolean {
  const [program, ...rest] = WITHOUT_NETWORK;
  return process.platform === 'linux' && spawnSync(program, [...rest, 'true']).status === 0;
}
