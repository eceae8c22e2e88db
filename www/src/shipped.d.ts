/** Written by the build: the data files that this very page was built with. */
declare module "virtual:shipped" {
  export interface ShippedFile {
    /** Relative to the page; the name carries the content's hash. */
    url: string;
    bytes: number;
  }
  const shipped: Record<"index" | "model" | "tokenizer" | "config", ShippedFile>;
  export default shipped;
}

/** The model of one of the releases; none where it couldn't be installed. */
declare module "virtual:minilm" {
  import type { ShippedFile } from "virtual:shipped";
  const minilm: Record<"model" | "tokenizer" | "card", ShippedFile> | undefined;
  export default minilm;
}

declare module "*.css";
