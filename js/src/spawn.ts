import { ElanusError } from './errors.js';
import { greeted } from './remote-engine.js';

/**
 * Starts a worker, trying in turn: the address given; else `worker.js` next to this script; else, where that file
 * can't be had (a bundler left it behind, or this script comes from another origin), its text from a `blob:` address,
 * which a Content-Security-Policy may forbid.
 *
 * @throws ElanusError `WORKER_FAILED` if none starts
 */
export async function spawn(workerUrl: string | URL | undefined): Promise<Worker> {
  const reasons: string[] = [];
  const starts = workerUrl === undefined ? [fromFile, fromText] : [() => new Worker(workerUrl, { type: 'module' })];
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
    `no worker could be started (${reasons.join('; ')}); serve the package's worker.js and give its address as workerUrl, ` +
      "or search on this thread with thread: 'main'",
    { details: { reasons } },
  );
}

// Bundlers look for exactly this expression.
const fromFile = (): Worker => new Worker(new URL('./worker.js', import.meta.url), { type: 'module' });

async function fromText(): Promise<Worker> {
  const { source } = await import('./worker-inline.js');
  const url = URL.createObjectURL(new Blob([source], { type: 'text/javascript' }));
  try {
    return new Worker(url, { type: 'module' });
  } finally {
    // The fetch of the script has begun by then; the text need not stay in memory for the life of the page.
    setTimeout(() => URL.revokeObjectURL(url), 10_000);
  }
}
