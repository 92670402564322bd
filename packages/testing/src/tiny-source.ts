import { createHash } from "node:crypto";
import { IGNORE_INDEX, mulberry32, type Batch, type BatchSource, type MediaItem } from "@thaw/core";
import { TINY } from "./tiny-parameters.js";

export interface TinySourceOptions {
  readonly name?: string;
  /** Default 8. */
  readonly sampleCount?: number;
  /** Of the samples; default 1. */
  readonly seed?: number;
  /** Every n-th sample has no image; default: all have one. */
  readonly textOnlyEvery?: number;
  /** Samples share this many images, in turn; default: each has its own. */
  readonly imageCount?: number;
  /** Random augmentations that the source says it does (it does none). */
  readonly augmentations?: readonly string[];
}

/** A source that counts how often images were decoded. */
export interface TinySource extends BatchSource {
  /** Calls of `MediaItem.load`, by content key. */
  readonly loads: ReadonlyMap<string, number>;
  readonly loadCount: number;
  readonly isClosed: boolean;
}

/**
 * Samples for `tinyModel`: an image (4 placeholder tokens), a prompt token, one to four words and the end token; words
 * and end are supervised, so token counts are unequal. The words depend on the image, so that there is something to
 * learn.
 */
export function tinySource(options: TinySourceOptions = {}): TinySource {
  const {
    name = "tiny",
    sampleCount = 8,
    seed = 1,
    textOnlyEvery = 0,
    imageCount = sampleCount,
    augmentations = [],
  } = options;
  const loads = new Map<string, number>();
  let isClosed = false;
  const isTextOnly = (sample: number): boolean => textOnlyEvery > 0 && sample % textOnlyEvery === textOnlyEvery - 1;
  const samples = Array.from({ length: sampleCount }, (_, index) =>
    makeSample(index, index % imageCount, seed, isTextOnly(index), loads),
  );
  return {
    name,
    sampleCount,
    textOnlyShare: samples.filter((sample) => sample.image === undefined).length / Math.max(1, sampleCount),
    augmentations,
    loads,
    get loadCount() {
      return [...loads.values()].reduce((sum, count) => sum + count, 0);
    },
    get isClosed() {
      return isClosed;
    },
    async *batches({ epoch, seed: runSeed, microBatchSize, shuffle, skip = 0 }) {
      const order = shuffle ? shuffled(sampleCount, runSeed * 1000 + epoch) : [...samples.keys()];
      for (let start = skip * microBatchSize; start < sampleCount; start += microBatchSize) {
        yield await Promise.resolve(
          collate(order.slice(start, start + microBatchSize).map((index) => samples[index]!)),
        );
      }
    },
    close() {
      isClosed = true;
      return Promise.resolve();
    },
  };
}

interface Sample {
  readonly id: string;
  readonly image?: Omit<MediaItem, "sample">;
  readonly tokens: readonly number[];
  /** From here on tokens are supervised. */
  readonly answerStart: number;
  readonly reference: string;
}

function makeSample(
  index: number,
  imageIndex: number,
  seed: number,
  isTextOnly: boolean,
  loads: Map<string, number>,
): Sample {
  const random = mulberry32(seed * 7919 + imageIndex);
  const drawn = Float32Array.from({ length: TINY.imageSize ** 2 }, () => 2 * random() - 1);
  const words = Array.from(
    { length: 1 + Math.floor(4 * random()) },
    () => TINY.firstWordId + Math.floor((TINY.vocabularySize - TINY.firstWordId) * random()),
  );
  const pixels = patchesOf(drawn);
  const contentKey = createHash("sha256").update(pixels).digest("hex");
  const image = {
    modality: "image",
    contentKey,
    columns: Int32Array.from({ length: TINY.patches }, (_, column) => column),
    facts: {},
    inputs: { pixelValues: { rows: TINY.patches, width: TINY.patchValues } },
    load: () => {
      loads.set(contentKey, (loads.get(contentKey) ?? 0) + 1);
      return Promise.resolve({ pixelValues: pixels.slice() });
    },
  };
  const prompt = [
    ...(isTextOnly ? [] : Array.from({ length: TINY.patches }, () => TINY.imageTokenId)),
    TINY.promptTokenId,
  ];
  return {
    id: `sample-${index}`,
    image: isTextOnly ? undefined : image,
    tokens: [...prompt, ...words, TINY.eosTokenId],
    answerStart: prompt.length,
    reference: words.join(" "),
  };
}

function collate(samples: readonly Sample[]): Batch {
  const tokenCount = Math.max(...samples.map((sample) => sample.tokens.length));
  const size = samples.length * tokenCount;
  const tokenIds = new Int32Array(size).fill(TINY.padTokenId);
  const attentionMask = new Int32Array(size);
  const labels = new Int32Array(size).fill(IGNORE_INDEX);
  samples.forEach((sample, row) => {
    tokenIds.set(sample.tokens, row * tokenCount);
    attentionMask.fill(1, row * tokenCount, row * tokenCount + sample.tokens.length);
    labels.set(sample.tokens.slice(sample.answerStart), row * tokenCount + sample.answerStart);
  });
  return {
    tokenIds,
    attentionMask,
    labels,
    tokenCount,
    batchSize: samples.length,
    media: samples.flatMap(({ image }, sample) => (image === undefined ? [] : [{ ...image, sample }])),
    segmentOutputs: {},
    samples: samples.map(({ id, reference }) => ({ id, reference })),
  };
}

/** An image `[4, 4]` as patches `[4, 2 * 2]`, row by row. */
function patchesOf(pixels: Float32Array): Float32Array {
  const { imageSize, patchSize } = TINY;
  const side = imageSize / patchSize;
  return Float32Array.from(pixels, (_, index) => {
    const [patch, at] = [Math.floor(index / patchSize ** 2), index % patchSize ** 2];
    const y = Math.floor(patch / side) * patchSize + Math.floor(at / patchSize);
    return pixels[y * imageSize + (patch % side) * patchSize + (at % patchSize)]!;
  });
}

/** Fisher and Yates. */
function shuffled(count: number, seed: number): number[] {
  const random = mulberry32(seed);
  const order = Array.from({ length: count }, (_, index) => index);
  for (let index = count - 1; index > 0; index -= 1) {
    const other = Math.floor(random() * (index + 1));
    [order[index], order[other]] = [order[other]!, order[index]!];
  }
  return order;
}
