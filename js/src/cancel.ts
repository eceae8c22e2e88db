/** What can end a long call before its time: the caller's signal, and an error in the caller's own progress function. */
export interface Cancellation<P> {
  readonly signal: AbortSignal;
  /** Tells the caller. What the caller's function throws goes back to the caller, from a worker too. */
  readonly report: (progress: P) => void;
  /** Lets go of the caller's signal, which may live on. */
  release(): void;
}

export function cancellation<P>(outer: AbortSignal | undefined, onProgress: ((progress: P) => void) | undefined): Cancellation<P> {
  const stop = new AbortController();
  const abort = (): void => stop.abort(outer!.reason);
  outer?.addEventListener('abort', abort, { once: true });
  return {
    signal: stop.signal,
    report(progress) {
      try {
        onProgress?.(progress);
      } catch (error) {
        stop.abort(error);
      }
    },
    release: () => outer?.removeEventListener('abort', abort),
  };
}
