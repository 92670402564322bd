import type { Sample, SampleSet } from "@thaw/contracts";
import { setEmpty } from "../errors/files.js";
import { isOfSample } from "../errors/of-sample.js";
import { chosenFrom } from "../formats/sample-sets.js";
import { mediaKey } from "../samples/media-key.js";
import { mixSeeds } from "./random.js";

/** Which samples of a set are held out of training. */
export interface HoldOut {
  /** Share of the groups that is held out, more than 0 and less than 1. */
  readonly fraction: number;
  readonly seed: number;
  /** What stays together: samples that share an item, samples of one concept, or nothing. */
  readonly by: "item" | "concept" | "sample";
  /** Which part is wanted: what is trained on, or what is held out. */
  readonly part: "train" | "held-out";
}

/** Groups of numbers that are told pair by pair to belong together; each is named by its lowest one. */
class Groups {
  readonly #parents: Int32Array;

  constructor(count: number) {
    this.#parents = Int32Array.from({ length: count }, (_, index) => index);
  }

  of(index: number): number {
    let root = index;
    while (this.#parents[root] !== root) root = this.#parents[root]!;
    for (let at = index; at !== root;) {
      const next = this.#parents[at]!;
      this.#parents[at] = root;
      at = next;
    }
    return root;
  }

  join(one: number, other: number): void {
    const [low, high] = [this.of(one), this.of(other)].sort((left, right) => left - right) as [number, number];
    this.#parents[high] = low;
  }
}

function keysOf({ media, messages, concept }: Sample, by: HoldOut["by"]): readonly string[] {
  if (by === "sample") return [];
  if (by === "concept") return concept === undefined ? [] : [concept];
  return media.length > 0 ? media.map(mediaKey) : [JSON.stringify(messages)];
}

/**
 * The part of a set that is trained on, or the part that is held out. Which group is in which part depends on the seed
 * and on the number of its first sample alone, so samples added at the end of a set move no others.
 * @throws THAW_DATA_EMPTY where nothing is left
 */
export async function heldOut(set: SampleSet, { fraction, seed, by, part }: HoldOut): Promise<SampleSet> {
  const groups = new Groups(set.count);
  const first = new Map<string, number>();
  for (let index = 0; index < set.count; index += 1) {
    const sample = await set.read(index).catch((error: unknown) => {
      // What cannot be read is told when samples are looked at.
      if (isOfSample(error)) return undefined;
      throw error;
    });
    for (const key of sample === undefined ? [] : keysOf(sample, by)) {
      const known = first.get(key);
      if (known === undefined) first.set(key, index);
      else groups.join(known, index);
    }
  }
  const wanted = Array.from({ length: set.count }, (_, index) => index).filter((index) => {
    const isHeldOut = mixSeeds(seed, groups.of(index)) < fraction * 2 ** 32;
    return isHeldOut === (part === "held-out");
  });
  if (wanted.length === 0)
    throw setEmpty(
      set.origin,
      `Of its ${set.count} samples ${part === "train" ? "all" : "none"} are held out. Choose another fraction, ` +
        "another seed, or by: sample.",
    );
  return chosenFrom(set, Int32Array.from(wanted));
}
