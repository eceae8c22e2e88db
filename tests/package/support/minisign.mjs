/** Signatures as minisign makes them, by Node's own Ed25519 and BLAKE2b: what the package checks is written by somebody else. */
import { createHash, generateKeyPairSync, randomBytes, sign } from "node:crypto";

/** A key pair: `publicKey` as minisign prints it, and what signs. */
export function keyPair() {
  const pair = generateKeyPairSync("ed25519");
  const id = randomBytes(8);
  // An SPKI key of Ed25519 ends with its 32 bytes.
  const raw = pair.publicKey.export({ format: "der", type: "spki" }).subarray(-32);
  return { id, privateKey: pair.privateKey, publicKey: Buffer.concat([Buffer.from("Ed"), id, raw]).toString("base64") };
}

/** The text of a signature file of these bytes. */
export function minisign(bytes, { id, privateKey }, { form = "ED", comment = "timestamp:1\tfile:x\thashed" } = {}) {
  const message = form === "ED" ? createHash("blake2b512").update(bytes).digest() : bytes;
  const signature = sign(null, message, privateKey);
  const whole = sign(null, Buffer.concat([signature, Buffer.from(comment)]), privateKey);
  const first = Buffer.concat([Buffer.from(form), id, signature]).toString("base64");
  return `untrusted comment: a test\n${first}\ntrusted comment: ${comment}\n${whole.toString("base64")}\n`;
}
