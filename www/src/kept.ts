// What the page and its service worker say to each other.

export type Ask = {
  /**
   * `state`: what is kept? `keep`: fetch what isn't. `forget`: drop the data, it was damaged.
   * `take-over`: a new version, let it replace the old one.
   */
  type: "state" | "keep" | "forget" | "take-over";
};

export interface Kept {
  version: string;
  /** Data files that would be missing without a network. */
  missing: string[];
}
