/** The worker's end: one engine, asked by messages. */

import { ElanusError, toPlain } from './errors.js';
import { nextTask } from './host.js';
import type { Traffic } from './lazy/ranges.js';
import { LocalEngine } from './local-engine.js';
import { holdForLife } from './lifeline.js';
import { type Method, type Methods, type Reply, type Report, type Request, VERSION } from './protocol.js';

interface Scope {
  onmessage: ((event: MessageEvent<Request>) => void) | null;
  postMessage(message: Reply): void;
}

const scope = globalThis as unknown as Scope;
const onTraffic = (traffic: Traffic): void => scope.postMessage({ traffic });
const running = new Map<number, AbortController>();
let engine: LocalEngine | undefined;

function loaded(): LocalEngine {
  if (!engine) throw new ElanusError('INTERNAL', 'the worker was asked before it was started');
  return engine;
}

type Handlers = {
  [M in Method]: (
    args: Parameters<Methods[M]>,
    signal: AbortSignal,
    onProgress: Report,
  ) => ReturnType<Methods[M]> | Promise<ReturnType<Methods[M]>>;
};

const handlers: Handlers = {
  async start([module, lifeline]) {
    engine = await LocalEngine.create(module);
    return holdForLife(lifeline);
  },
  load: ([source, plan], signal, onProgress) => loaded().load(source, { ...plan, signal, onProgress, onTraffic }),
  inspect: (args) => loaded().inspect(...args),
  reserve: (args) => loaded().reserve(...args),
  write: (args) => loaded().write(...args),
  finish: ([total, verify, hints], signal, onProgress) => loaded().finish(total, { verify, hints, signal, onProgress }),
  search: ([queries, plan, coarse], signal, onProgress) => loaded().search(queries, plan, signal, coarse ? onProgress : undefined),
  beginBuild: (args) => loaded().beginBuild(...args),
  addVectors: (args) => loaded().addVectors(...args),
  addKeys: (args) => loaded().addKeys(...args),
  addFields: (args) => loaded().addFields(...args),
  finishBuild: ([plan], signal, onProgress) => loaded().finishBuild(plan, signal, onProgress),
  file: () => loaded().file(),
  hybridSearch: (args, signal) => loaded().hybridSearch(...args, signal),
  iterate: (args) => loaded().iterate(...args),
  advance: (args, signal) => loaded().advance(...args, signal),
  endIteration: (args) => loaded().endIteration(...args),
  get: (args) => loaded().get(...args),
  vectors: (args, signal) => loaded().vectors(...args, signal),
  memory: () => loaded().memory(),
  traffic: () => loaded().traffic(),
  prefetch: (_, signal) => loaded().prefetch(signal),
  evict: () => loaded().evict(),
};

async function answer(id: number, method: Method, args: readonly unknown[]): Promise<void> {
  const controller = new AbortController();
  running.set(id, controller);
  try {
    // A cancellation that is already waiting behind this request is to be seen before the work, not after it.
    await nextTask();
    controller.signal.throwIfAborted();
    const onProgress: Report = (progress) => scope.postMessage({ id, progress });
    const result = await handlers[method](args as never, controller.signal, onProgress);
    scope.postMessage({ id, result });
  } catch (error) {
    // What was cancelled has been answered on the other side.
    if (!controller.signal.aborted) scope.postMessage({ id, error: toPlain(error) });
  } finally {
    running.delete(id);
  }
}

scope.onmessage = ({ data }) => {
  if ('method' in data) void answer(data.id, data.method, data.args);
  else running.get(data.cancel)?.abort();
};
scope.postMessage({ version: VERSION });
