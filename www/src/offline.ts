// The page's side of its service worker.

import type { Ask, Kept } from "./kept.ts";

// Installing takes the shell once more, a hundredth of what comes after it.
const PATIENCE = 8000;

export class Offline {
  #registration: ServiceWorkerRegistration | undefined;

  /**
   * Waits for a first worker to take charge, so that it can keep the big files as the page fetches
   * them, and they are fetched once. Without one the page works all the same.
   */
  async start(onUpdate: (takeOver: () => void) => void): Promise<void> {
    const workers = navigator.serviceWorker;
    if (!workers || !import.meta.env.PROD) return;
    let served = workers.controller !== null;
    const controlled = new Promise<void>((resolve) => {
      if (workers.controller) resolve();
      workers.addEventListener("controllerchange", () => {
        // A new version took over: every tab starts again with it, so that none mixes the two.
        if (served) location.reload();
        served = true;
        resolve();
      });
    });
    try {
      this.#registration = await workers.register(new URL("sw.js", document.baseURI), { updateViaCache: "none" });
    } catch {
      return;
    }
    this.#watch(this.#registration, onUpdate);
    const { installing } = this.#registration;
    const failed = new Promise<void>((resolve) => {
      installing?.addEventListener("statechange", () => installing.state === "redundant" && resolve());
    });
    await Promise.race([controlled, failed, new Promise((resolve) => setTimeout(resolve, PATIENCE))]);
  }

  /** True once everything is kept; fetches what isn't. */
  async complete(): Promise<boolean> {
    if (!this.#registration) return false;
    await navigator.serviceWorker.ready;
    const state = await this.#ask("keep");
    return state !== undefined && state.missing.length === 0;
  }

  /** Before another try after damage: what is kept may be what was damaged. */
  async forget(): Promise<void> {
    if (this.#registration?.active) await this.#ask("forget");
  }

  #watch(registration: ServiceWorkerRegistration, onUpdate: (takeOver: () => void) => void): void {
    const offer = () => {
      const { waiting } = registration;
      if (waiting && registration.active) onUpdate(() => waiting.postMessage({ type: "take-over" } satisfies Ask));
    };
    offer();
    registration.addEventListener("updatefound", () => {
      registration.installing?.addEventListener("statechange", offer);
    });
  }

  #ask(type: Ask["type"]): Promise<Kept | undefined> {
    const worker = this.#registration?.active;
    if (!worker) return Promise.resolve(undefined);
    return new Promise((resolve) => {
      const { port1, port2 } = new MessageChannel();
      port1.onmessage = (event) => {
        resolve(event.data as Kept);
        port1.close();
      };
      worker.postMessage({ type } satisfies Ask, [port2]);
    });
  }
}
