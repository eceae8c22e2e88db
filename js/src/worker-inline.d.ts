/** The text of worker.js, written by the build. */
export const source: string;
