import { createHash } from "node:crypto";
import { IGNORE_INDEX, mulberry32, type Batch, type BatchSource, type MediaItem } from "@thaw/core";
import { AUDIO_TOKEN, END, IMAGE_TOKEN } from "./tokens.js";
import { SIZES } from "./towers.js";

/** A piece of a sample: ids, a picture of such a grid, or a sound of so many frames. */
type Piece = readonly number[] | { readonly grid: readonly [number, number] } | { readonly frames: number };

const START = [2, 9, 14, 21, 7, 30];
/** What is asked, and what is learnt as an answer. */
export const SAMPLES: readonly (readonly [asked: readonly Piece[], answer: readonly number[]])[] = [
  [
    [START, { grid: [2, 2] }, [8]],
    [11, 12, 13],
  ],
  [
    [START, [5], { grid: [1, 3] }, [8, 4], { frames: 4 }],
    [15, 16],
  ],
  [
    [START, { frames: 6 }, [3]],
    [17, 18, 19, 20],
  ],
  [
    [START, [22, 23]],
    [24, 25],
  ],
  [
    [{ grid: [3, 2] }, START, { grid: [2, 1] }],
    [26, 27, 28],
  ],
  [[START, { grid: [2, 2] }, [6, 5]], [29]],
];

interface Sample {
  readonly id: string;
  readonly ids: readonly number[];
  readonly answerStart: number;
  readonly media: readonly Omit<MediaItem, "sample">[];
}

/** A source over some of the samples; `loads` counts decoded items. */
export function contractSource(
  which: readonly number[] = SAMPLES.map((_, index) => index),
): BatchSource & { loads: number } {
  const source = {
    name: "contract",
    sampleCount: which.length,
    augmentations: [],
    loads: 0,
    async *batches({ microBatchSize, skip = 0 }: Parameters<BatchSource["batches"]>[0]): AsyncGenerator<Batch> {
      const samples = which.map((index) => sampleOf(index, () => (source.loads += 1)));
      for (let start = skip * microBatchSize; start < samples.length; start += microBatchSize)
        yield await Promise.resolve(collate(samples.slice(start, start + microBatchSize)));
    },
    close: () => Promise.resolve(),
  };
  return source;
}

/** Some samples as one batch. `isPrompt`: without their answers, but with the ids `written` behind each. */
export function contractBatch(
  which: readonly number[],
  isPrompt = false,
  pad: "left" | "right" = "right",
  written: readonly number[] = [],
): Batch {
  const samples = which.map((index) => sampleOf(index, () => undefined, isPrompt));
  return collate(
    samples.map((sample) => ({ ...sample, ids: [...sample.ids, ...written] })),
    pad,
  );
}

function sampleOf(index: number, onLoad: () => void, isPrompt = false): Sample {
  const [asked, answer] = SAMPLES[index]!;
  const ids: number[] = [];
  const media: Omit<MediaItem, "sample">[] = [];
  for (const [place, piece] of asked.entries()) {
    if (!("length" in piece)) media.push(itemOf(piece, ids.length, index * 100 + place, onLoad));
    ids.push(...("length" in piece ? piece : tokensOf(piece)));
  }
  return {
    id: `sample ${index}`,
    ids: isPrompt ? ids : [...ids, ...answer, END],
    answerStart: ids.length,
    media,
  };
}

function tokensOf(piece: Exclude<Piece, readonly number[]>): readonly number[] {
  if ("grid" in piece) return Array.from({ length: piece.grid[0] * piece.grid[1] }, () => IMAGE_TOKEN);
  return Array.from({ length: piece.frames / 2 }, () => AUDIO_TOKEN);
}

function itemOf(
  piece: Exclude<Piece, readonly number[]>,
  column: number,
  seed: number,
  onLoad: () => void,
): Omit<MediaItem, "sample"> {
  const isImage = "grid" in piece;
  const [input, width] = isImage ? ["patches", SIZES.patch] : ["frames", SIZES.frame];
  const rows = isImage ? piece.grid[0] * piece.grid[1] : piece.frames;
  const random = mulberry32(seed);
  const values = Float32Array.from({ length: rows * width }, () => 2 * random() - 1);
  return {
    modality: isImage ? "image" : "audio",
    contentKey: createHash("sha256").update(values).digest("hex"),
    columns: Int32Array.from(tokensOf(piece), (_, at) => column + at),
    facts: isImage ? { grid: piece.grid } : { frames: [piece.frames] },
    inputs: { [input]: { rows, width } },
    load: () => {
      onLoad();
      return Promise.resolve({ [input]: values.slice() });
    },
  };
}

function collate(samples: readonly Sample[], pad: "left" | "right" = "right"): Batch {
  const tokenCount = Math.max(...samples.map(({ ids }) => ids.length));
  const size = samples.length * tokenCount;
  const [tokenIds, attentionMask] = [new Int32Array(size), new Int32Array(size)];
  const labels = new Int32Array(size).fill(IGNORE_INDEX);
  const shifts = samples.map(({ ids }) => (pad === "left" ? tokenCount - ids.length : 0));
  samples.forEach(({ ids, answerStart }, row) => {
    const start = row * tokenCount + shifts[row]!;
    tokenIds.set(ids, start);
    attentionMask.fill(1, start, start + ids.length);
    labels.set(ids.slice(answerStart), start + answerStart);
  });
  const media = samples.flatMap((sample, row) =>
    sample.media.map((item) => ({ ...item, sample: row, columns: item.columns.map((at) => at + shifts[row]!) })),
  );
  return {
    tokenIds,
    attentionMask,
    labels,
    tokenCount,
    batchSize: samples.length,
    media,
    segmentOutputs: {},
    samples: samples.map(({ id }) => ({ id })),
  };
}
