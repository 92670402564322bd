import { createHash } from "node:crypto";
import { IGNORE_INDEX, seededRandom, type Batch, type BatchSource, type MediaItem } from "@thaw/core";

/** Of the golden LLaVA. */
const IMAGE_TOKEN = 332;
const PATCHES = 16;
const PAD = 0;

/** A sample as parts: `image`, words that are read, words that are learnt. */
export type Part =
  | "image"
  | { readonly read: number }
  | { readonly learn: number }
  | { readonly fixed: readonly number[] };

/** A beginning that several samples share. */
const SYSTEM = { fixed: [1, 17, 23, 99, 41, 64, 120, 7] } as const;

/**
 * Samples of every kind: shared and own beginnings, none, two images, text alone, unlearnt ends, nothing learnt at all,
 * an answer before an image.
 */
export const RAGGED: readonly (readonly Part[])[] = [
  [SYSTEM, "image", { read: 3 }, { learn: 4 }, { read: 5 }],
  [SYSTEM, "image", { read: 1 }, { learn: 2 }],
  [SYSTEM, { read: 4 }, "image", { read: 2 }, "image", { learn: 6 }],
  [SYSTEM, { read: 3 }, { learn: 3 }],
  ["image", { read: 4 }, { learn: 5 }],
  [{ read: 6 }, "image", { learn: 1 }, { read: 2 }, { learn: 2 }],
  [SYSTEM, { learn: 2 }, { read: 2 }, "image", { learn: 2 }],
  [SYSTEM, "image", { read: 4 }],
];

/** The samples in their order, over and over, in batches of the size that is asked for, padded on the right. */
export function raggedSource(
  samples: readonly (readonly Part[])[] = RAGGED,
): BatchSource & { readonly loads: { count: number } } {
  const rows = samples.map((parts, index) => rowOf(parts, index));
  const loads = { count: 0 };
  return {
    name: "ragged",
    sampleCount: samples.length,
    augmentations: [],
    loads,
    async *batches({ microBatchSize, skip = 0 }) {
      for (let start = skip * microBatchSize; start < rows.length; start += microBatchSize)
        yield await Promise.resolve(collate(rows.slice(start, start + microBatchSize), loads));
    },
    close: () => Promise.resolve(),
  };
}

interface Row {
  readonly id: string;
  readonly tokens: readonly number[];
  readonly labels: readonly number[];
  readonly images: readonly { readonly key: number; readonly columns: readonly number[] }[];
}

function rowOf(parts: readonly Part[], index: number): Row {
  const random = seededRandom(11, `sample ${index}`);
  const [tokens, labels]: [number[], number[]] = [[], []];
  const images: Row["images"][number][] = [];
  for (const [place, part] of parts.entries()) {
    const isLearnt = part !== "image" && "learn" in part;
    const ids =
      part === "image"
        ? Array<number>(PATCHES).fill(IMAGE_TOKEN)
        : "fixed" in part
          ? part.fixed
          : Array.from({ length: isLearnt ? part.learn : part.read }, () => 3 + Math.floor(300 * random()));
    if (part === "image") images.push({ key: 100 * index + place, columns: ids.map((_, at) => tokens.length + at) });
    tokens.push(...ids);
    labels.push(...ids.map((id) => (isLearnt ? id : IGNORE_INDEX)));
  }
  return { id: String(index), tokens, labels, images };
}

function collate(rows: readonly Row[], loads: { count: number }): Batch {
  const tokenCount = Math.max(...rows.map(({ tokens }) => tokens.length));
  const padded = (pick: (row: Row) => readonly number[], padding: number): Int32Array =>
    Int32Array.from(
      rows.flatMap((row) => [...pick(row), ...Array<number>(tokenCount - row.tokens.length).fill(padding)]),
    );
  return {
    tokenIds: padded(({ tokens }) => tokens, PAD),
    labels: padded(({ labels }) => labels, IGNORE_INDEX),
    attentionMask: padded(({ tokens }) => tokens.map(() => 1), 0),
    batchSize: rows.length,
    tokenCount,
    segmentOutputs: {},
    samples: rows.map(({ id }) => ({ id })),
    media: rows.flatMap(({ images }, sample) =>
      images.map(({ key, columns }) => itemOf(key, { sample, columns: Int32Array.from(columns) }, loads)),
    ),
  };
}

function itemOf(image: number, place: Pick<MediaItem, "sample" | "columns">, loads: { count: number }): MediaItem {
  return {
    ...place,
    modality: "image",
    contentKey: createHash("sha256").update(`ragged ${image}`).digest("hex"),
    facts: {},
    inputs: { pixelValues: { rows: PATCHES, width: 147 } },
    load: () => {
      const random = seededRandom(12, `image ${image}`);
      loads.count += 1;
      const values = Float32Array.from({ length: 3 * 28 * 28 }, () => 2 * random() - 1);
      return Promise.resolve({ pixelValues: values });
    },
  };
}
