/** Runs a program of tests/support in a process that finds Electron's SwiftShader, a graphics card in software, or none. */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { build } from 'vite';

const root = join(import.meta.dirname, '..', '..');
const electron = join(root, 'node_modules', 'electron', 'dist');
const driver = join(electron, 'vk_swiftshader_icd.json');

/** Elsewhere than on Linux, WebGPU does not ask for Vulkan drivers, so that the environment cannot choose one. */
export const hasSoftwareDevice = process.platform === 'linux' && existsSync(driver);

export interface DeviceProgram {
  /** Runs it and returns what it printed, parsed; `withDriver` false hides every graphics driver. Rejects if it fails. */
  run(argv: readonly string[], withDriver: boolean): Promise<unknown>;
  remove(): Promise<void>;
}

/** Builds a program of this folder into a folder of its own inside the repository, from where packages are found. */
export async function buildDeviceProgram(name = 'device-program'): Promise<DeviceProgram> {
  const folder = join(root, 'test-results', `${name}-${process.pid}`);
  await build({
    configFile: false, root, logLevel: 'warn',
    build: { ssr: join('tests', 'support', `${name}.ts`), outDir: folder, target: 'node20.18', minify: false },
  });
  return {
    run: (argv, withDriver) =>
      new Promise((resolve, reject) => {
        const drivers = withDriver ? driver : join(folder, 'no-driver.json');
        // glibc otherwise keeps some of the blocks that drivers in software free, ever more of them, so that memory cannot be measured.
        const environment = { MALLOC_MMAP_THRESHOLD_: '65536', LD_LIBRARY_PATH: electron, VK_DRIVER_FILES: drivers, VK_ICD_FILENAMES: drivers };
        const child = spawn(process.execPath, [join(folder, `${name}.js`), ...argv], {
          env: { ...process.env, ...environment },
          stdio: ['ignore', 'pipe', 'pipe'],
        });
        let [stdout, stderr] = ['', ''];
        child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
        child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
        child.once('error', reject);
        child.once('close', (status, signal) => {
          // The driver may write warnings of its own before the last line.
          if (status === 0) resolve(JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? ''));
          else reject(new Error(`the program ended with ${status ?? signal}: ${stderr}`));
        });
      }),
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}
