/**
 * How a page learns that its worker is gone. A worker that is ended from outside (by the browser, by the page, by a
 * debugger) sends no event of it. But it can hold a Web Lock for as long as it lives, and whoever waits for that lock
 * is told at once when it is free. Hosts and pages without locks (insecure origins, sandboxed frames) do without.
 */

const locks = (): LockManager | undefined => (globalThis as { navigator?: { locks?: LockManager } }).navigator?.locks;

/** A name that no other worker of this origin has. */
export function lifelineName(): string {
  return `elanus-worker-${globalThis.crypto?.randomUUID?.() ?? `${performance.timeOrigin}-${Math.random()}`}`;
}

/** In the worker: takes the lock and never lets go; says whether it was to be had. */
export function holdForLife(name: string): Promise<boolean> {
  return new Promise((resolve) => {
    const request = locks()?.request(name, () => {
      resolve(true);
      return new Promise<never>(() => undefined);
    });
    if (request) request.catch(() => resolve(false));
    else resolve(false);
  });
}

/** In the page: calls `gone` when the lock's holder is no more, unless the signal fires before. */
export function watch(name: string, gone: () => void, signal: AbortSignal): void {
  // Rejected when the signal fires, which is no news.
  locks()?.request(name, { signal }, gone).catch(() => undefined);
}
