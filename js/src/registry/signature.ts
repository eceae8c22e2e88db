import { ElanusError, invalid } from '../errors.js';
import { describe } from '../options.js';

/** A minisign key: its number and the Ed25519 key. */
export interface PublicKey {
  readonly id: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** Longer ones are a mistake or an attack. */
export const MAX_SIGNATURE_BYTES = 4096;
const SIGNATURE_BYTES = 64;
const ID_BYTES = 8;

/** Reads what `publicKey` may be: minisign keys in base64, or the texts of `.pub` files. */
export function readPublicKeys(given: unknown): PublicKey[] {
  const list: unknown[] = Array.isArray(given) ? given : [given];
  if (list.length === 0) throw invalid('publicKey is an empty list: no release could ever be taken; name a key, or leave it out');
  return list.map((text) => {
    // The whole file has a comment in its first line.
    const line = typeof text === 'string' ? text.trim().split(/\r?\n/).at(-1)!.trim() : '';
    const bytes = fromBase64(line);
    if (!bytes || bytes.length !== 2 + ID_BYTES + 32 || !startsWith(bytes, 'Ed')) {
      throw invalid(`publicKey must be a minisign public key, 56 characters that begin with RW, or the text of its .pub file, not ${describe(text)}`);
    }
    return { id: keyId(bytes), bytes: bytes.slice(2 + ID_BYTES) };
  });
}

const bad = (what: string, why: string, cause?: unknown): ElanusError =>
  new ElanusError('BAD_SIGNATURE', `${what} ${why}; it is not used`, cause === undefined ? {} : { cause });

/**
 * Checks minisign's signature of a manifest: that of its bytes, and that of the signature with its comment.
 *
 * @param text the signature file; `undefined` if there is none
 * @param what the manifest, for messages
 * @throws ElanusError `BAD_SIGNATURE`
 */
export async function checkSignature(manifest: Uint8Array<ArrayBuffer>, text: string | undefined, keys: readonly PublicKey[], what: string): Promise<void> {
  if (text === undefined) throw bad(what, 'is not signed, and only signed releases were asked for: sign it with `elanus registry sign`');
  const lines = text.split(/\r?\n/);
  if (lines.at(-1) === '') lines.pop();
  const [comment, first, trusted, second] = lines;
  const signature = fromBase64(first ?? '');
  const whole = fromBase64(second ?? '');
  const formed =
    lines.length === 4 && comment!.startsWith('untrusted comment:') && trusted!.startsWith('trusted comment: ') &&
    signature?.length === 2 + ID_BYTES + SIGNATURE_BYTES && whole?.length === SIGNATURE_BYTES;
  if (!formed) throw bad(what, 'has a signature that is none of minisign');
  if (startsWith(signature, 'Ed')) throw bad(what, 'is signed in the old form of minisign: sign it again');
  if (!startsWith(signature, 'ED')) throw bad(what, 'is signed in a form that is not known');
  const id = keyId(signature);
  const candidates = keys.filter((key) => key.id === id);
  if (candidates.length === 0) throw bad(what, `is signed with the key ${id}, not with ${keys.map((key) => key.id).join(' or ')}`);
  const own = signature.slice(2 + ID_BYTES);
  const note = new TextEncoder().encode(trusted!.slice('trusted comment: '.length));
  const both = new Uint8Array(own.length + note.length);
  both.set(own);
  both.set(note, own.length);
  const { blake2b512, verify } = await import('./ed25519.js');
  const digest = blake2b512(manifest);
  for (const { bytes } of candidates) if ((await verify(own, digest, bytes)) && (await verify(whole, both, bytes))) return;
  throw bad(what, 'has a signature that is not that of its bytes: it was changed after it was signed, or the signature was forged');
}

const startsWith = (bytes: Uint8Array, two: string): boolean => bytes[0] === two.charCodeAt(0) && bytes[1] === two.charCodeAt(1);

/** The number of a key as minisign shows it: eight bytes, the last one first. */
const keyId = (bytes: Uint8Array): string =>
  Array.from(bytes.slice(2, 2 + ID_BYTES)).reverse().map((byte) => byte.toString(16).padStart(2, '0')).join('').toUpperCase();

function fromBase64(text: string): Uint8Array<ArrayBuffer> | undefined {
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(text) || text.length % 4 !== 0) return undefined;
  return Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
}
