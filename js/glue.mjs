/**
 * Makes a factory of wasm-bindgen's JavaScript. As it is, that keeps one instance of the module for the whole page; but
 * WebAssembly memory never shrinks, so each index needs an instance of its own that can be dropped.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { transformSync } from "esbuild";

const TYPES = (name, classes) => `import type * as bindings from "./${name}-bindings.js";
export type Bindings = typeof bindings;
export type { ${classes.join(", ")} } from "./${name}-bindings.js";
/** Bindings for one instance: instantiate the module with \`imports\`, then call \`start\` with its exports. */
export function createGlue(): {
  bindings: Bindings;
  imports: WebAssembly.Imports;
  start(exports: WebAssembly.Exports): void;
};
`;

/** Writes NAME.js and its types, with these of its classes, from what wasm-pack left in `wasmFolder`. */
export async function writeGlue(wasmFolder, outFolder, name, classes) {
  const source = readFileSync(path.join(wasmFolder, "elanus_bg.js"), "utf8");
  const module = await WebAssembly.compile(readFileSync(path.join(wasmFolder, "elanus_bg.wasm")));
  const names = [...new Set(WebAssembly.Module.imports(module).map((needed) => needed.module))];
  if (names.length !== 1 || !source.includes("__wbg_set_wasm")) {
    throw new Error(`wasm-bindgen's output has changed (imports from ${names.join(", ")}); adapt js/glue.mjs`);
  }
  const { code } = transformSync(source, { format: "iife", globalName: "glue", target: "es2022" });
  mkdirSync(outFolder, { recursive: true });
  writeFileSync(
    path.join(outFolder, `${name}.js`),
    `export function createGlue() {
${code}
return {
  bindings: glue,
  imports: { ${JSON.stringify(names[0])}: glue },
  start(exports) {
    glue.__wbg_set_wasm(exports);
    exports.__wbindgen_start();
  },
};
}
`,
  );
  writeFileSync(path.join(outFolder, `${name}.d.ts`), TYPES(name, classes));
  writeFileSync(path.join(outFolder, `${name}-bindings.d.ts`), readFileSync(path.join(wasmFolder, "elanus.d.ts"), "utf8"));
}
