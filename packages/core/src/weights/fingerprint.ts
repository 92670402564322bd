import { createHash } from "node:crypto";
import type { Segment } from "@thaw/contracts";
import type { Tensor } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";

/** Numbers that are brought to the host at a time, 8 MB: an embedding table as a whole would be the run's peak. */
const STRETCH = 1 << 21;

/** sha256 (hex) of a tensor's values, row-major, as they are on the device now. */
export async function hashTensor(tensor: Tensor): Promise<string> {
  const hash = createHash("sha256");
  for (let begin = 0; begin < Math.max(1, tensor.size); begin += STRETCH) {
    const stretch =
      tensor.size <= STRETCH
        ? tensor
        : tf.tidy(() => tf.slice(tf.reshape(tensor, [tensor.size]), begin, Math.min(STRETCH, tensor.size - begin)));
    try {
      hash.update(bytesOf(await stretch.data()));
    } finally {
      if (stretch !== tensor) stretch.dispose();
    }
  }
  return hash.digest("hex");
}

/** The same of values on the host. */
export function hashValues(values: Float32Array): string {
  return createHash("sha256").update(bytesOf(values)).digest("hex");
}

function bytesOf({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

/** One sha256 (hex) over names and hashes of their values, whatever their order. */
export function joinHashes(hashes: ReadonlyMap<string, string>): string {
  const lines = [...hashes].map(([name, hash]) => `${name} ${hash}`).toSorted();
  return createHash("sha256").update(lines.join("\n")).digest("hex");
}

/**
 * Hashes remembered by tensor: an update makes a new tensor, so a remembered one is right as long as nobody writes in
 * place.
 */
export class HashCache {
  readonly #hashes = new WeakMap<Tensor, Promise<string>>();

  hash(tensor: Tensor): Promise<string> {
    return this.#hashes.get(tensor) ?? this.fresh(tensor);
  }

  /** Made anew from the values as they are now, and remembered. */
  fresh(tensor: Tensor): Promise<string> {
    const made = hashTensor(tensor);
    this.#hashes.set(tensor, made);
    return made;
  }
}

/** Parameters that a segment's output depends on: its own and those of all segments before it and around it. */
export function parametersBehind(segments: readonly Segment[], name: string): readonly string[] {
  const behind = segmentsBehind(segments, name);
  return [...new Set(segments.filter((segment) => behind.has(segment.name)).flatMap(({ parameters }) => parameters))];
}

/** A segment and all whose outputs it depends on. */
export function segmentsBehind(segments: readonly Segment[], name: string): ReadonlySet<string> {
  const byName = new Map(segments.map((segment) => [segment.name, segment]));
  const seen = new Set<string>();
  const visit = (segment: string): void => {
    if (seen.has(segment)) return;
    seen.add(segment);
    for (const before of byName.get(segment)?.after ?? []) visit(before);
  };
  visit(name);
  return seen;
}
