/** The text of database-worker.js, written by the build. */
export const source: string;
