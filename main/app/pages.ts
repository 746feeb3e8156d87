/**
 * Serves the built page at `app://shear/`: only files inside its folder, with a policy that lets the page load nothing
 * else and talk to nobody.
 */
import { readFile, realpath } from 'node:fs/promises';
import { extname, join, sep } from 'node:path';
import { protocol } from 'electron';

const SCHEME = 'app';
const HOST = 'shear';

/** Address of the window's page. */
export const PAGE_URL = `${SCHEME}://${HOST}/index.html`;

const CONTENT_TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.woff2': 'font/woff2',
  '.json': 'application/json; charset=utf-8',
};

const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "font-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** Declares the scheme; Electron wants that before it is ready. */
export function declarePages(): void {
  protocol.registerSchemesAsPrivileged([{ scheme: SCHEME, privileges: { standard: true, secure: true } }]);
}

/** Starts to serve the files of `folder`. */
export function servePages(folder: string): void {
  protocol.handle(SCHEME, async (request) => {
    const file = request.method === 'GET' ? await resolvePage(folder, request.url) : null;
    if (file === null) return new Response('Not found', { status: 404 });
    return new Response(new Uint8Array(await readFile(file)), {
      headers: {
        'content-type': CONTENT_TYPES[extname(file)] ?? 'application/octet-stream',
        'content-security-policy': POLICY,
        'x-content-type-options': 'nosniff',
      },
    });
  });
}

/** The file that an address of ours names, or null when there is none inside the folder (links are followed first). */
async function resolvePage(folder: string, address: string): Promise<string | null> {
  try {
    const url = new URL(address);
    if (url.host !== HOST) return null;
    const file = await realpath(join(folder, decodeURIComponent(url.pathname)));
    return file.startsWith((await realpath(folder)) + sep) && extname(file) !== '' ? file : null;
  } catch {
    // A broken escape in the address, or a file that is not there.
    return null;
  }
}

/** Whether an address belongs to the program's own page. */
export function isPageAddress(address: string): boolean {
  try {
    const url = new URL(address);
    return url.protocol === `${SCHEME}:` && url.host === HOST;
  } catch {
    return false;
  }
}
