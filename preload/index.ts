/**
 * The only script between the window and the program: exposes `window.shear` and nothing else. It knows two channels and
 * no schemas; the main process, which does not trust this side, checks every name and every payload.
 */
import { contextBridge, ipcRenderer, webUtils } from 'electron';
import type { ShearBridge } from './contract/channels';
import { IPC_CALL, IPC_EVENT } from './contract/ipc';

const bridge: ShearBridge = {
  call: (name, request) => ipcRenderer.invoke(IPC_CALL, name, request),
  on: (name, listener) => {
    const forward = (_event: unknown, sent: unknown, payload: Parameters<typeof listener>[0]): void => {
      if (sent === name) listener(payload);
    };
    ipcRenderer.on(IPC_EVENT, forward);
    return () => {
      ipcRenderer.off(IPC_EVENT, forward);
    };
  },
  pathOf: (file) => webUtils.getPathForFile(file),
};

contextBridge.exposeInMainWorld('shear', bridge);
