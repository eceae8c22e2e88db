/** When the page has nothing to do; where hosts don't tell, after a while. */
export function untilIdle(): Promise<void> {
  const { requestIdleCallback } = globalThis as { requestIdleCallback?: (callback: () => void) => unknown };
  return new Promise((resolve) => (requestIdleCallback ? requestIdleCallback(() => resolve()) : setTimeout(resolve, 10)));
}
