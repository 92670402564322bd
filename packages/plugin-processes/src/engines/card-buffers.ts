import type { Tensor } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";

/** Beyond it a copy on the card costs more than one more operation. */
const JOINED_BYTES = 4 << 20;

/** Numbers on a card that are summed in one go, of one or more tensors. */
interface Buffer {
  readonly places: readonly number[];
  readonly shapes: readonly (readonly number[])[];
  readonly from: Tensor;
  /** May be `from`, which it is where this rank gets no sum. */
  readonly to: Tensor;
}

/**
 * Tensors as they are summed on a card: small ones end to end, those of equal rows in one buffer, so that hundreds of
 * matrices of adapters take a few operations and no upload. Takes them over; `sums` and `dispose` free what is left.
 */
export class CardBuffers {
  readonly buffers: readonly Buffer[];

  /** Float32. Runs at once; nothing is waited for. `hasSums`: false if the sums are another rank's. */
  constructor(tensors: readonly Tensor[], hasSums = true) {
    this.buffers = joined(tensors).map((places) => bufferOf(tensors, places, hasSums));
  }

  /** The sums of all tensors in their order, once the buffers hold them; the caller frees them. */
  sums(): readonly Tensor[] {
    const sums: Tensor[] = [];
    for (const { places, shapes, from, to } of this.buffers) {
      if (places.length === 1) sums[places[0]!] = to;
      else
        tf.tidy(() =>
          tf
            .split(
              to,
              shapes.map(([rows]) => rows!),
              0,
            )
            .forEach((part, index) => (sums[places[index]!] = tf.keep(part))),
        );
      from.dispose();
    }
    return sums;
  }

  dispose(): void {
    for (const { from, to } of this.buffers) tf.dispose([from, to]);
  }
}

/** Numbers of tensors that can lie end to end: their order is kept among those of equal rows. */
function joined(tensors: readonly Tensor[]): readonly (readonly number[])[] {
  const groups: number[][] = [];
  const open = new Map<string, number[]>();
  for (const [index, { shape, size }] of tensors.entries()) {
    const key = shape.slice(1).join("x");
    const group = open.get(key);
    if (shape.length === 0 || size === 0 || 4 * size > JOINED_BYTES) groups.push([index]);
    else if (group !== undefined) group.push(index);
    else {
      groups.push([index]);
      open.set(key, groups.at(-1)!);
    }
  }
  return groups;
}

function bufferOf(tensors: readonly Tensor[], places: readonly number[], hasSums: boolean): Buffer {
  const given = places.map((place) => tensors[place]!);
  const shapes = given.map(({ shape }) => shape);
  const [first] = given as [Tensor];
  // What is given may lie where other tensors lie too: it is not written to
  if (places.length === 1 && !hasSums) return { places, shapes, from: first, to: first };
  if (places.length === 1) return { places, shapes, from: first, to: tf.keep(tf.zerosLike(first)) };
  const all = tf.keep(tf.tidy(() => tf.concat(given, 0)));
  tf.dispose(given);
  return { places, shapes, from: all, to: all };
}
