/** What this package needs to know of the host it runs in. Nothing here is touched before a call. */

interface NodeProcess {
  versions?: { node?: string };
  getBuiltinModule?: (name: string) => unknown;
}

/** The part of `node:fs/promises` that is used. */
export interface NodeFiles {
  readFile(path: string | URL): Promise<Uint8Array>;
  open(path: string | URL): Promise<{
    stat(): Promise<{ size: number }>;
    read(buffer: Uint8Array, offset: number, length: number): Promise<{ bytesRead: number }>;
    close(): Promise<void>;
  }>;
}

/**
 * Node's file functions, or undefined elsewhere. `getBuiltinModule` rather than an import: no bundler then tries to
 * resolve a module that browsers don't have.
 */
export function nodeFiles(): NodeFiles | undefined {
  const process = (globalThis as { process?: NodeProcess }).process;
  if (!process?.versions?.node || !process.getBuiltinModule) return undefined;
  return process.getBuiltinModule('node:fs/promises') as NodeFiles;
}

let channel: MessageChannel | undefined;
const waiting: (() => void)[] = [];

/** Lets the messages and events that are waiting be handled first. */
export function nextTask(): Promise<void> {
  const immediate = (globalThis as { setImmediate?: (callback: () => void) => void }).setImmediate;
  if (immediate) return new Promise((resolve) => immediate(resolve));
  // A message comes back in microseconds; a timer is held for 4 ms once timers are nested.
  if (!channel) {
    channel = new MessageChannel();
    channel.port1.onmessage = () => waiting.shift()?.();
  }
  const { port2 } = channel;
  return new Promise((resolve) => {
    waiting.push(resolve);
    port2.postMessage(undefined);
  });
}

const tag = (value: unknown): string => Object.prototype.toString.call(value).slice(8, -1);

// By tag and not `instanceof`: values may come from another realm (an iframe, a test runner's sandbox).
export const isResponse = (value: unknown): value is Response => tag(value) === 'Response';
export const isModule = (value: unknown): value is WebAssembly.Module => tag(value) === 'WebAssembly.Module';
export const isBlob = (value: unknown): value is Blob => tag(value) === 'Blob' || tag(value) === 'File';
export const isFileHandle = (value: unknown): value is FileSystemFileHandle => tag(value) === 'FileSystemFileHandle';
export const isUrl = (value: unknown): value is URL => tag(value) === 'URL';

/** The bytes of a buffer or of a view on one, without a copy; undefined for anything else. */
export function asBytes(value: unknown): Uint8Array | undefined {
  if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  const kind = tag(value);
  return kind === 'ArrayBuffer' || kind === 'SharedArrayBuffer' ? new Uint8Array(value as ArrayBuffer) : undefined;
}

/** A server's usual answer for an address that doesn't exist, when it doesn't say 404. */
export function looksLikeHtml(bytes: Uint8Array): boolean {
  const start = String.fromCharCode(...bytes.subarray(0, 256)).trimStart().toLowerCase();
  return start.startsWith('<!doctype') || start.startsWith('<html') || start.startsWith('<head') || start.startsWith('<!--');
}
