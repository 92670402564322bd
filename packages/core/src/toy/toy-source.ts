import { IGNORE_INDEX, type Batch, type BatchSource, type MediaItem } from "@thaw/contracts";
import { seededRandom } from "../run/random.js";
import { TOY } from "./toy-model.js";

/** Options of the toy's data. */
export interface ToySourceOptions {
  readonly name?: string;
  readonly sampleCount?: number;
  readonly seed?: number;
  /** Every how many samples one has no picture; 0: none. */
  readonly textOnlyEvery?: number;
  readonly onLoad?: () => void;
  /** False: a source that knows no shards. */
  readonly shards?: boolean;
}

interface Sample {
  readonly id: string;
  readonly tokens: readonly number[];
  readonly labels: readonly number[];
  readonly picture?: Omit<MediaItem, "sample">;
}

/** Samples of a picture, and 1 to 4 words that depend on it, so that token counts differ. */
export function toySource({
  name = "toy",
  sampleCount = 10,
  seed = 7,
  textOnlyEvery = 0,
  onLoad,
  shards = true,
}: ToySourceOptions = {}): BatchSource {
  const samples = Array.from({ length: sampleCount }, (_, index) => makeSample(index, seed, textOnlyEvery, onLoad));
  return {
    name,
    sampleCount,
    augmentations: [],
    ...(shards && { shards }),
    async *batches({ epoch, seed: order, microBatchSize, shuffle, skip = 0, shard = { index: 0, count: 1 } }) {
      const indices = shuffle ? shuffled(sampleCount, seededRandom(order, `epoch ${epoch}`)) : [...samples.keys()];
      const round = microBatchSize * shard.count;
      for (let start = skip * round; start < sampleCount; start += round) {
        const first = start + shard.index * microBatchSize;
        yield collate(indices.slice(first, first + microBatchSize).map((index) => samples[index]!));
      }
    },
    close: async () => {},
  };
}

/** One batch of given samples, padded on the right. */
function collate(samples: readonly Sample[]): Batch {
  const tokenCount = Math.max(0, ...samples.map(({ tokens }) => tokens.length));
  const fill = (pick: (sample: Sample) => readonly number[], padding: number): Int32Array =>
    Int32Array.from(
      samples.flatMap((sample) => [...pick(sample), ...Array<number>(tokenCount - sample.tokens.length).fill(padding)]),
    );
  return {
    tokenIds: fill(({ tokens }) => tokens, 2),
    labels: fill(({ labels }) => labels, IGNORE_INDEX),
    attentionMask: fill(({ tokens }) => tokens.map(() => 1), 0),
    batchSize: samples.length,
    tokenCount,
    media: samples.flatMap(({ picture }, sample) => (picture === undefined ? [] : [{ ...picture, sample }])),
    segmentOutputs: {},
    samples: samples.map(({ id }) => ({ id })),
  };
}

function makeSample(index: number, seed: number, textOnlyEvery: number, onLoad: (() => void) | undefined): Sample {
  const random = seededRandom(seed, `sample ${index}`);
  const pixels = Float32Array.from({ length: TOY.pixels }, () => 2 * random() - 1);
  const hasPicture = textOnlyEvery === 0 || index % textOnlyEvery !== textOnlyEvery - 1;
  const words = Array.from({ length: 1 + (index % 4) }, (_, at) => 3 + ((pixels[at % TOY.pixels]! > 0 ? 4 : 0) + at));
  const picture = {
    modality: "image",
    contentKey: `${seed}-${index}`,
    columns: Int32Array.of(0),
    facts: {},
    inputs: { pixels: { rows: 1, width: TOY.pixels } },
    load: async () => {
      onLoad?.();
      return { pixels };
    },
  };
  const first = hasPicture ? TOY.pictureId : 2;
  return {
    id: `sample-${index}`,
    tokens: [first, ...words, 1],
    labels: [IGNORE_INDEX, ...words, 1],
    ...(hasPicture ? { picture } : {}),
  };
}

function shuffled(count: number, random: () => number): number[] {
  const indices = Array.from({ length: count }, (_, index) => index);
  for (let last = count - 1; last > 0; last--) {
    const other = Math.floor(random() * (last + 1));
    [indices[last], indices[other]] = [indices[other]!, indices[last]!];
  }
  return indices;
}
