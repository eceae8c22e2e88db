/** What checks signatures; fetched by pages that name a public key. */
import { verify as verifyHere, hashes } from '@noble/ed25519';
import { blake2b } from '@noble/hashes/blake2.js';
import { sha512 } from '@noble/hashes/sha2.js';

export const blake2b512 = (bytes: Uint8Array): Uint8Array<ArrayBuffer> => Uint8Array.from(blake2b(bytes, { dkLen: 64 }));

/** Checks an Ed25519 signature; by the host where it knows how: pages without TLS, and older browsers, don't. */
export async function verify(signature: Uint8Array<ArrayBuffer>, message: Uint8Array<ArrayBuffer>, key: Uint8Array<ArrayBuffer>): Promise<boolean> {
  const subtle = (globalThis as { crypto?: Crypto }).crypto?.subtle;
  try {
    const imported = await subtle?.importKey('raw', key, 'Ed25519', false, ['verify']);
    if (imported) return await subtle!.verify('Ed25519', imported, signature, message);
  } catch {
    // It isn't known here, or the key is no point of the curve: what follows says which.
  }
  // Strict, as hosts are.
  hashes.sha512 = sha512;
  try {
    return verifyHere(signature, message, key, { zip215: false });
  } catch {
    return false;
  }
}
