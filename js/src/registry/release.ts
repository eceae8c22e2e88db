import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex } from '@noble/hashes/utils.js';
import { ElanusError } from '../errors.js';
import { checkSignature, MAX_SIGNATURE_BYTES, type PublicKey } from './signature.js';

/** The keys of which one must have signed a release. */
export type Trust = readonly PublicKey[];

/** A stored query and the keys that it must find, nearest first. */
export interface SelfQuery {
  readonly vector: readonly number[];
  readonly ids: readonly string[];
}

/** What is used of a manifest. */
export interface Release {
  readonly name: string;
  /** SHA-256 of the manifest. */
  readonly manifest: string;
  /** The manifest as it was fetched, so that it can be checked again. */
  readonly text: string;
  /** The manifest's signature file, where one was asked for. */
  readonly signature: string | undefined;
  readonly file: { readonly path: string; readonly sha256: string; readonly bytes: number };
  readonly index: { readonly count: number; readonly dimension: number; readonly metric: string; readonly indexType: string };
  /** What its reference queries were like, for watching. */
  readonly sketch: { readonly path: string; readonly sha256: string; readonly bytes: number } | undefined;
  readonly selfTest: { readonly limit: number; readonly queries: readonly SelfQuery[] } | undefined;
}

const SCHEMA_VERSION = 1;
/** Longer ones are a mistake or an attack: a thousand releases take 120 KB. */
const MAX_JSON_BYTES = 8 << 20;
const MAX_SKETCH_BYTES = 65_536;
const DIGEST = /^[0-9a-f]{64}$/;
const NAME = /^[a-z0-9][a-z0-9._-]{0,63}$/;

export const corrupt = (message: string, details?: Record<string, unknown>): ElanusError =>
  new ElanusError('CORRUPT_REGISTRY', `${message}; it was damaged, swapped or forged, and is not used`, details ? { details } : {});

/** The manifest that the alias names in `registry.json`. */
export async function resolve(base: URL, alias: string, signal: AbortSignal): Promise<{ name: string; manifest: string }> {
  const url = new URL('registry.json', base);
  // Whatever a cache on the way may hold: this is the one file that changes.
  const text = decode(await download(url, MAX_JSON_BYTES, signal, 'no-cache'), url);
  const state = object(parse(text, url), url);
  checkVersion(state, url);
  const { aliases, releases } = state;
  if (!isObject(aliases) || !Array.isArray(releases)) throw corrupt(`${url} has no aliases or no releases`);
  const name = Object.hasOwn(aliases, alias) ? aliases[alias] : undefined;
  if (name === undefined) {
    const known = Object.keys(aliases).join(', ');
    throw new ElanusError('NO_RELEASE', `${url} has no alias ${JSON.stringify(alias)}; it has ${known || 'none'}`, { details: { alias } });
  }
  const entry: unknown = releases.find((release: unknown) => isObject(release) && release['name'] === name);
  if (typeof name !== 'string' || !NAME.test(name) || !isObject(entry) || !isDigest(entry['manifest'])) {
    throw corrupt(`${url}: the alias ${alias} names no release that is there`);
  }
  return { name, manifest: entry['manifest'] };
}

/** A release as `registry.json` names it. */
interface Named {
  readonly name: string;
  readonly manifest: string;
}

/** Fetches a manifest and checks that it is the one of this hash, signed with one of these keys if there are any. */
export async function fetchRelease(base: URL, named: Named, trust: Trust | undefined, signal: AbortSignal): Promise<Release> {
  const url = new URL(`objects/${named.manifest}.json`, base);
  const [bytes, signature] = await Promise.all([download(url, MAX_JSON_BYTES, signal), trust && fetchSignature(`${url}.minisig`, signal)]);
  return readSigned(bytes, signature, named, trust);
}

/** Fetches a signature file; `undefined` if there is none. */
async function fetchSignature(url: string, signal: AbortSignal): Promise<string | undefined> {
  try {
    return decode(await download(new URL(url), MAX_SIGNATURE_BYTES, signal), url);
  } catch (error) {
    if (error instanceof ElanusError && [404, 410].includes(error.details?.['status'] as number)) return undefined;
    throw error;
  }
}

/** Reads a manifest, wherever it was kept, after its hash and its signature are found right. */
export async function readSigned(
  bytes: Uint8Array<ArrayBuffer>,
  signature: string | undefined,
  { name, manifest }: Named,
  trust: Trust | undefined,
): Promise<Release> {
  const what = `the manifest of ${name}`;
  const found = await digest(bytes);
  if (found !== manifest) throw corrupt(`${what} has the hash ${found}, not ${manifest}`, { expected: manifest, found });
  if (trust) await checkSignature(bytes, signature, trust, what);
  return readRelease(decode(bytes, what), { name, manifest, signature: trust && signature }, what);
}

function readRelease(text: string, { name, manifest, signature }: Named & Pick<Release, 'signature'>, what: string): Release {
  const value = object(parse(text, what), what);
  checkVersion(value, what);
  const { release, files, index, self_test: test } = value;
  const file: unknown = Array.isArray(files) ? files[0] : undefined;
  if (release !== name) throw corrupt(`${what} is that of another release`);
  if (!isObject(file) || file['role'] !== 'index' || !isDigest(file['sha256']) || !isCount(file['bytes'])) {
    throw corrupt(`${what} names no index file`);
  }
  const path = String(file['path']);
  if (!new RegExp(`^objects/${file['sha256']}\\.[a-z0-9]{1,12}$`).test(path)) throw corrupt(`${what} has its index file in a strange place`);
  if (!isObject(index) || !isCount(index['count']) || !isCount(index['dimension'])) throw corrupt(`${what} doesn't describe its index`);
  return {
    name,
    manifest,
    text,
    signature,
    sketch: readSketchEntry(files as unknown[], what),
    file: { path, sha256: file['sha256'], bytes: file['bytes'] },
    index: { count: index['count'], dimension: index['dimension'], metric: String(index['metric']), indexType: String(index['index_type']) },
    selfTest: test === undefined ? undefined : readSelfTest(test, index['dimension'], what),
  };
}

/** The entry of the sketch, of which there is one at most. */
function readSketchEntry(files: unknown[], what: string): Release['sketch'] {
  const entry = files.find((file) => isObject(file) && file['role'] === 'sketch') as Record<string, unknown> | undefined;
  if (!entry) return undefined;
  const { sha256, bytes, path } = entry;
  if (!isDigest(sha256) || !isCount(bytes) || bytes > MAX_SKETCH_BYTES || path !== `objects/${sha256}.json`) {
    throw corrupt(`${what} has its sketch in a strange place, or a strange sketch`);
  }
  return { path, sha256, bytes };
}

function readSelfTest(test: unknown, dimension: number, what: string): Release['selfTest'] {
  const numbers = (list: unknown): boolean => Array.isArray(list) && [dimension, dimension / 8].includes(list.length) && list.every((x) => typeof x === 'number');
  const texts = (list: unknown): boolean => Array.isArray(list) && list.every((id) => typeof id === 'string');
  const queries: unknown = isObject(test) ? test['queries'] : undefined;
  const fine = (query: unknown): query is SelfQuery => isObject(query) && numbers(query['vector']) && texts(query['ids']);
  if (!isObject(test) || !isCount(test['limit']) || !Array.isArray(queries) || !queries.every(fine)) {
    throw corrupt(`${what} has a self-test that is none`);
  }
  return { limit: test['limit'], queries };
}

/** Fetches the index file of a release, and checks its length and hash. */
export async function fetchIndex(base: URL, release: Release, signal: AbortSignal): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = await download(new URL(release.file.path, base), release.file.bytes, signal);
  await checkIndex(release, bytes);
  return bytes;
}

/** Fetches the sketch of a release as text, and checks its length and hash. */
export async function fetchSketch(base: URL, { name, sketch }: Release, signal: AbortSignal): Promise<string> {
  const { path, sha256, bytes: length } = sketch!;
  const bytes = await download(new URL(path, base), length, signal);
  const found = await digest(bytes);
  if (found !== sha256) throw corrupt(`the sketch of ${name} has the hash ${found}, not ${sha256}`, { expected: sha256, found });
  return decode(bytes, `the sketch of ${name}`);
}

/** Refuses bytes that aren't the index file of the release. */
export async function checkIndex({ name, file }: Release, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
  if (bytes.length !== file.bytes) {
    throw corrupt(`the index file of ${name} has ${bytes.length} bytes, not ${file.bytes}`, { expected: file.bytes, found: bytes.length });
  }
  const found = await digest(bytes);
  if (found !== file.sha256) throw corrupt(`the index file of ${name} has the hash ${found}, not ${file.sha256}`, { expected: file.sha256, found });
}

/** SHA-256 in hexadecimal digits; by the host where it has it: pages without TLS have none. */
export async function digest(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const subtle = (globalThis as { crypto?: Crypto }).crypto?.subtle;
  return bytesToHex(subtle ? new Uint8Array(await subtle.digest('SHA-256', bytes)) : sha256(bytes));
}

/** Downloads at most so many bytes: what a host sends beyond them isn't kept. */
async function download(url: URL, most: number, signal: AbortSignal, cache?: RequestCache): Promise<Uint8Array<ArrayBuffer>> {
  const failed = (cause: unknown): never => {
    signal.throwIfAborted();
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new ElanusError('FETCH_FAILED', `${url} could not be fetched (${why})`, { details: { url: url.href }, cause });
  };
  const response = await fetch(url, { signal, ...(cache ? { cache } : {}) }).catch(failed);
  if (!response.ok || !response.body) {
    void response.body?.cancel();
    throw new ElanusError('FETCH_FAILED', `${url} answered with HTTP status ${response.status}`, { details: { url: url.href, status: response.status } });
  }
  const pieces: Uint8Array[] = [];
  let length = 0;
  const reader = response.body.getReader();
  try {
    for (let next; !(next = await reader.read().catch(failed)).done; ) {
      length += next.value.length;
      if (length > most) throw corrupt(`${url} has more than the ${most} bytes that it may have`, { expected: most });
      pieces.push(next.value);
    }
  } finally {
    reader.cancel().catch(() => undefined);
  }
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}

function checkVersion(value: Record<string, unknown>, what: URL | string): void {
  const version = value['schema_version'];
  if (version === SCHEMA_VERSION) return;
  throw new ElanusError('UNSUPPORTED_VERSION', `${what} has schema version ${String(version)}; this package knows ${SCHEMA_VERSION}: use a newer one`, {
    details: { expected: SCHEMA_VERSION, found: version },
  });
}

function decode(bytes: Uint8Array, what: URL | string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw corrupt(`${what} is no UTF-8`);
  }
}

function parse(text: string, what: URL | string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw corrupt(`${what} is no JSON (${(cause as Error).message})`);
  }
}

function object(value: unknown, what: URL | string): Record<string, unknown> {
  if (!isObject(value)) throw corrupt(`${what} is no JSON object`);
  return value;
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);
const isDigest = (value: unknown): value is string => typeof value === 'string' && DIGEST.test(value);
const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
