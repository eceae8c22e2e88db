import { ElanusError } from './errors.js';
import { asBytes, isModule, isResponse, isUrl, looksLikeHtml, nodeFiles } from './host.js';

/** Where the WebAssembly module comes from: an address, an answer or the promise of one, its bytes, or the module itself. */
export type WasmSource = URL | string | Response | Promise<Response> | BufferSource | WebAssembly.Module;

const REMEDY =
  'serve the file `elanus.wasm` of this package and give its address to `init(url)`: with a bundler ' +
  '`import url from "elanus/elanus.wasm?url"` (Vite) or a file loader for .wasm (esbuild); without one, copy ' +
  'node_modules/elanus/elanus.wasm next to your script';

let shared: Promise<WebAssembly.Module> | undefined;

/** The module that searches files that are there whole: compiled, or where it is to be had when it is needed, in turn. */
export type MainModule = WebAssembly.Module | readonly string[];

/**
 * Loads and compiles the WebAssembly module ahead of the first `open`. Optional: `open` does it otherwise, from next to
 * this script: `elanus-relaxed.wasm` where the host has relaxed SIMD, else `elanus.wasm`. They answer alike, the first
 * faster. The module is compiled once; later calls wait for it and their source is not looked at. After a failure the
 * next call tries again.
 *
 * @param source address, `Response` (or a promise of one), bytes, or a compiled module
 * @throws ElanusError `WASM_UNAVAILABLE` if it can't be fetched, is something else (such as a page of HTML), or this
 *   host can't compile it; `INVALID_ARGUMENT` if the source is none of the above
 */
export async function init(source?: WasmSource): Promise<void> {
  await compiledModule(source);
}

export function compiledModule(source?: WasmSource): Promise<WebAssembly.Module> {
  shared ??= compile(source).catch((error: unknown) => {
    shared = undefined;
    throw error;
  });
  return shared;
}

/** The main module for a call that may never need it: what was given or is there already, else its addresses. */
export async function mainModule(source?: WasmSource): Promise<MainModule> {
  return source !== undefined || shared ? compiledModule(source) : ownAddresses();
}

/** The module of a source; that of `.elanus` files without one. */
export async function compile(given: WasmSource | undefined): Promise<WebAssembly.Module> {
  if (typeof WebAssembly !== 'object') throw unavailable('this host has no WebAssembly');
  const source = await given;
  if (source === undefined) return compileFirst(ownAddresses());
  if (isModule(source)) return source;
  const bytes = asBytes(source);
  if (bytes) return compileBytes(bytes, 'the bytes given to `init`');
  if (isResponse(source)) return compileResponse(source);
  if (typeof source !== 'string' && !isUrl(source)) {
    throw new ElanusError(
      'INVALID_ARGUMENT',
      'the wasm source must be a URL, a Response, bytes or a WebAssembly.Module',
      { details: { found: typeof source } },
    );
  }
  return compileAddress(String(source));
}

/** The builds for this host beside this script, the best first: two that answer alike, one with instructions that not every host has. */
function ownAddresses(): string[] {
  const plain = new URL('./elanus.wasm', import.meta.url).href;
  return hasRelaxedSimd() ? [new URL('./elanus-relaxed.wasm', import.meta.url).href, plain] : [plain];
}

/** The first of these that is to be had. */
export async function compileFirst([first, ...others]: readonly string[]): Promise<WebAssembly.Module> {
  if (others.length === 0) return compileAddress(first!);
  // Whoever serves one file only serves the other, which says what is wrong if that fails too.
  return compileAddress(first!).catch(() => compileFirst(others));
}

async function compileAddress(address: string): Promise<WebAssembly.Module> {
  if (address.startsWith('file:')) {
    const files = nodeFiles();
    if (files) return compileBytes(await files.readFile(new URL(address)), address);
  }
  let response: Response;
  try {
    response = await fetch(address);
  } catch (cause) {
    throw unavailable(`${address} could not be fetched (${say(cause)})`, cause);
  }
  return compileResponse(response);
}

async function compileResponse(response: Response): Promise<WebAssembly.Module> {
  const address = response.url || 'the response';
  if (!response.ok) throw unavailable(`${address} answered with HTTP status ${response.status}`);
  const type = response.headers.get('content-type')?.split(';')[0]?.trim().toLowerCase();
  if (type === 'application/wasm' && typeof WebAssembly.compileStreaming === 'function') {
    return translate(WebAssembly.compileStreaming(response), address);
  }
  // A server that doesn't know the type .wasm costs a little time, nothing else.
  let bytes: Uint8Array;
  try {
    bytes = new Uint8Array(await response.arrayBuffer());
  } catch (cause) {
    throw unavailable(`${address} stopped in the middle (${say(cause)})`, cause);
  }
  return compileBytes(bytes, address);
}

async function compileBytes(bytes: Uint8Array, what: string): Promise<WebAssembly.Module> {
  const magic = bytes[0] === 0 && bytes[1] === 0x61 && bytes[2] === 0x73 && bytes[3] === 0x6d;
  if (!magic) {
    throw unavailable(
      looksLikeHtml(bytes)
        ? `${what} is a page of HTML and not WebAssembly: the server answers with a page for an address that doesn't exist`
        : `${what} is no WebAssembly (${bytes.length} bytes)`,
    );
  }
  return translate(WebAssembly.compile(bytes as BufferSource), what);
}

async function translate(module: Promise<WebAssembly.Module>, what: string): Promise<WebAssembly.Module> {
  try {
    return await module;
  } catch (cause) {
    const text = say(cause);
    if (/unsafe-eval|Content Security Policy/i.test(text)) {
      throw unavailable(
        `this page's Content-Security-Policy forbids WebAssembly (${text}); add 'wasm-unsafe-eval' to script-src`,
        cause,
        '',
      );
    }
    if (!hasSimd()) {
      throw unavailable(
        'this host lacks WebAssembly SIMD; it needs Chrome 91, Firefox 89, Safari 16.4, Node 16.4 or later',
        cause,
        '',
      );
    }
    throw unavailable(`${what} could not be compiled (${text})`, cause);
  }
}

/** Whether this host takes 128-bit SIMD: the smallest module with one such instruction. */
function hasSimd(): boolean {
  return WebAssembly.validate(
    new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11]),
  );
}

/** The instructions that a module of ours was made with. */
export function simdOf(module: WebAssembly.Module): 'simd128' | 'relaxed-simd' {
  return WebAssembly.Module.customSections(module, 'simd').length > 0 ? 'relaxed-simd' : 'simd128';
}

/** Whether this host takes relaxed SIMD: the smallest module with one such look-up. */
function hasRelaxedSimd(): boolean {
  return WebAssembly.validate(
    new Uint8Array([
      0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 15, 1, 13, 0, 65, 0, 253, 15, 65, 0, 253, 15, 253, 128, 2,
      11,
    ]),
  );
}

const say = (error: unknown): string => (error instanceof Error ? error.message : String(error));

function unavailable(what: string, cause?: unknown, remedy = REMEDY): ElanusError {
  return new ElanusError('WASM_UNAVAILABLE', remedy ? `${what}; ${remedy}` : what, { cause });
}
