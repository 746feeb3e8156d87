/** What the preload script puts on the window, and the file types that the bundler understands. */
/// <reference types="svelte" />
/// <reference types="vite/client" />
import type { ShearBridge } from '../preload/contract/channels';

declare global {
  interface Window {
    readonly shear: ShearBridge;
  }
}
