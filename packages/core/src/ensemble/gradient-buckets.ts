import { float32Bytes } from "@thaw/contracts";
import type { Tensor } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import type { Ensemble } from "./ensemble.js";
import { sumFor } from "./sum-for.js";

/** Stands for the loss among the names of parameters: it comes last. */
export const LOSS = "";

/** A sum is asked for once so much of it is there: what DistributedDataParallel of PyTorch takes for a bucket. */
const BUCKET_BYTES = 25 * 2 ** 20;

/** What a step's sums are of. */
export interface BucketsInput {
  readonly ensemble: Ensemble;
  /** In the order of a forward pass, the same on every rank. */
  readonly trained: Iterable<string>;
  readonly shapeOf: (name: string) => readonly number[];
  /** The rank that alone needs the sum of a gradient. Absent: all do. */
  readonly ownerOf?: (name: string) => number;
}

interface Bucket {
  /** Undefined: all. */
  readonly owner?: number | undefined;
  readonly names: readonly string[];
  readonly given: Map<string, Tensor>;
}

/**
 * The gradients of a step on their way to other ranks, in buckets: the parameters that a backward pass comes to first
 * are summed while it still computes others. Every rank has the same buckets and sends them in the same order; what a
 * rank has no gradient of is zeros.
 */
export class GradientBuckets {
  readonly #input: BucketsInput;
  readonly #buckets: readonly Bucket[];
  readonly #bucketOf = new Map<string, Bucket>();
  readonly #has = new Set<string>();
  readonly #sums: Promise<ReadonlyMap<string, Tensor>>[] = [];

  constructor(input: BucketsInput) {
    this.#input = input;
    this.#buckets = bucketNames(input).map((bucket) => ({ ...bucket, given: new Map() }));
    for (const bucket of this.#buckets) for (const name of bucket.names) this.#bucketOf.set(name, bucket);
  }

  /** True if this rank gave a gradient of it. */
  has(name: string): boolean {
    return this.#has.has(name);
  }

  /** Takes a whole gradient of this rank over, and asks for the sums that have all of theirs. */
  give(name: string, gradient: Tensor): void {
    this.#has.add(name);
    this.#bucketOf.get(name)!.given.set(name, gradient);
    for (let next = this.#next; next !== undefined && next.given.size === next.names.length; next = this.#next)
      this.#send(next);
    this.#input.ensemble.advance?.();
  }

  /**
   * Asks for what is left, and gives all sums by name, of what has an owner to that one alone; the caller frees them.
   * @throws THAW_CORE_RANK_LOST
   */
  async finish(): Promise<ReadonlyMap<string, Tensor>> {
    for (let next = this.#next; next !== undefined; next = this.#next) {
      for (const name of next.names)
        if (!next.given.has(name)) next.given.set(name, tf.keep(tf.fill([...this.#shapeOf(name)], 0)));
      this.#send(next);
    }
    const sums = await Promise.all(this.#sums);
    this.#sums.length = 0;
    return new Map(sums.flatMap((one) => [...one]));
  }

  /** Frees what was not sent, and sums that still come. */
  dispose(): void {
    for (const { given } of this.#buckets) for (const tensor of given.values()) tensor.dispose();
    for (const sum of this.#sums)
      void sum.then(
        (tensors) => tf.dispose([...tensors.values()]),
        () => undefined,
      );
  }

  get #next(): Bucket | undefined {
    return this.#buckets[this.#sums.length];
  }

  #shapeOf(name: string): readonly number[] {
    return name === LOSS ? [] : this.#input.shapeOf(name);
  }

  #send({ names, given, owner }: Bucket): void {
    const { ensemble } = this.#input;
    const tensors = new Map(names.map((name) => [name, given.get(name)!]));
    const sum = owner === undefined ? ensemble.sum(tensors) : sumFor(ensemble, owner, tensors);
    given.clear();
    // Who waits for it hears of a failure; until then nobody does
    sum.catch(() => undefined);
    this.#sums.push(sum);
  }
}

/** From the last parameter to the first; the loss in the last bucket, which all get. */
function bucketNames({ trained, shapeOf, ownerOf }: BucketsInput): readonly Omit<Bucket, "given">[] {
  const names = [...trained].toReversed();
  if (ownerOf === undefined) {
    const buckets = inBuckets(names, shapeOf);
    return [...buckets.slice(0, -1), [...buckets.at(-1)!, LOSS]].map((bucket) => ({ names: bucket }));
  }
  const last = new Map(names.map((name, place) => [name, place]));
  const owned = [...new Set(names.map(ownerOf))].flatMap((owner) =>
    inBuckets(
      names.filter((name) => ownerOf(name) === owner),
      shapeOf,
    ).map((bucket) => ({ names: bucket, owner })),
  );
  // In the order in which a backward pass fills them
  const placeOf = (bucket: Omit<Bucket, "given">): number => last.get(bucket.names.at(-1)!)!;
  return [...owned.toSorted((one, other) => placeOf(one) - placeOf(other)), { names: [LOSS] }];
}

/** Names in their order in buckets, each whole once it has its bytes; without names one that is empty. */
export function inBuckets(
  names: readonly string[],
  shapeOf: (name: string) => readonly number[],
): readonly (readonly string[])[] {
  const buckets: string[][] = [[]];
  let bytes = 0;
  for (const name of names) {
    if (bytes >= BUCKET_BYTES) {
      buckets.push([]);
      bytes = 0;
    }
    buckets.at(-1)!.push(name);
    bytes += float32Bytes(shapeOf(name));
  }
  return buckets;
}
