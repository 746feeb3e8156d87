/** Calls `window.shear` from a test, as the page does. */
import type { Page } from '@playwright/test';
import type { Answer, Channel, Reply, Request } from '../../../preload/contract/channels';

/** Calls the bridge with anything at all, as a page that went wrong could. */
export function callAnything(page: Page, name: string, request: unknown): Promise<Answer<unknown>> {
  return page.evaluate(
    ([channel, payload]) => {
      const { shear } = window as unknown as { shear: { call(name: unknown, request: unknown): Promise<Answer<unknown>> } };
      return shear.call(channel, payload);
    },
    [name, request] as const,
  );
}

/** Calls the bridge by the contract; throws when the answer is an error. */
export async function call<Name extends Channel>(page: Page, name: Name, request: Request<Name>): Promise<Reply<Name>> {
  const answer = await callAnything(page, name, request);
  if (!answer.ok) throw new Error(`${name}: ${answer.error.message}`);
  return answer.value as Reply<Name>;
}
