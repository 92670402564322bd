import { createHash, type Hash } from "node:crypto";

/** A digest takes no more than 2 GiB at once. */
const MAX_UPDATE = 2 ** 30;

/** What proves one file. */
export interface FileProof {
  readonly bytes: number;
  /** sha256 (hex) of the file; of a safetensors file of its header, from the first byte to the first tensor. */
  readonly sha256: string;
  /** Of a safetensors file: sha256 (hex) of each tensor's bytes. */
  readonly tensors?: Readonly<Record<string, string>>;
}

/** The proof of bytes that were written as a whole file. */
export function proofOf(bytes: Uint8Array): FileProof {
  return { bytes: bytes.length, sha256: sha256(bytes) };
}

/** sha256 (hex), of any length. */
export function sha256(bytes: Uint8Array): string {
  return addBytes(createHash("sha256"), bytes).digest("hex");
}

/** Adds bytes of any length to a digest. */
export function addBytes(hash: Hash, bytes: Uint8Array): Hash {
  for (let begin = 0; begin < bytes.length; begin += MAX_UPDATE) hash.update(bytes.subarray(begin, begin + MAX_UPDATE));
  return hash;
}
