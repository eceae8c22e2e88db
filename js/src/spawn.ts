import { ElanusError } from './errors.js';
import { greeted } from './remote-engine.js';

/** A worker's script, and the ways to it. */
export interface Script {
  readonly file: string;
  fromFile(): Worker;
  text(): Promise<{ readonly source: string }>;
  /** What can be done without it. */
  readonly instead: string;
}

/** The worker that has one index. */
export const INDEX_WORKER: Script = {
  file: 'worker.js',
  // Bundlers look for exactly this expression.
  fromFile: () => new Worker(new URL('./worker.js', import.meta.url), { type: 'module' }),
  text: () => import('./worker-inline.js'),
  instead: "search on this thread with thread: 'main'",
};

/** The worker that has a database's files. */
export const DATABASE_WORKER: Script = {
  file: 'database-worker.js',
  fromFile: () => new Worker(new URL('./database-worker.js', import.meta.url), { type: 'module' }),
  text: () => import('./database-worker-inline.js'),
  instead: "connect to 'memory:', which needs none",
};

/**
 * Starts a worker, trying in turn: the address given; else the script's file next to this one; else, where that file
 * can't be had (a bundler left it behind, or this script comes from another origin), its text from a `blob:` address,
 * which a Content-Security-Policy may forbid.
 *
 * @throws ElanusError `WORKER_FAILED` if none starts
 */
export async function spawn(workerUrl: string | URL | undefined, script: Script): Promise<Worker> {
  const reasons: string[] = [];
  const starts = workerUrl === undefined ? [script.fromFile, () => fromText(script)] : [() => new Worker(workerUrl, { type: 'module' })];
  for (const start of starts) {
    let worker: Worker | undefined;
    try {
      worker = await start();
      await greeted(worker);
      return worker;
    } catch (error) {
      worker?.terminate();
      reasons.push(error instanceof Error ? error.message : String(error));
    }
  }
  throw new ElanusError(
    'WORKER_FAILED',
    `no worker could be started (${reasons.join('; ')}); serve the package's ${script.file} and give its address as workerUrl, ` +
      `or ${script.instead}`,
    { details: { reasons } },
  );
}

async function fromText(script: Script): Promise<Worker> {
  const { source } = await script.text();
  const url = URL.createObjectURL(new Blob([source], { type: 'text/javascript' }));
  try {
    return new Worker(url, { type: 'module' });
  } finally {
    // The fetch of the script has begun by then; the text need not stay in memory for the life of the page.
    setTimeout(() => URL.revokeObjectURL(url), 10_000);
  }
}
