import { IGNORE_INDEX, seededRandom, type Batch, type BatchSource, type MediaItem } from "@thaw/core";
import { DEEP } from "./deep-model.js";

/** Patches of the items of each sample: none, one, several, all of other sizes. */
const SAMPLES: readonly (readonly number[])[] = [[4], [2, 8], [], [6], [4, 2, 2], [10]];

/** Samples of items of unequal sizes, over and over; the words depend on nothing. */
export function deepSource(onLoad: () => void = () => undefined): BatchSource {
  const rows = SAMPLES.map((patches, index) => sampleOf(patches, index, onLoad));
  return {
    name: "deep",
    sampleCount: rows.length,
    augmentations: [],
    async *batches({ microBatchSize, skip = 0 }) {
      for (let start = skip * microBatchSize; start < rows.length; start += microBatchSize)
        yield await Promise.resolve(collate(rows.slice(start, start + microBatchSize)));
    },
    close: () => Promise.resolve(),
  };
}

interface Row {
  readonly tokens: readonly number[];
  readonly labels: readonly number[];
  readonly media: readonly Omit<MediaItem, "sample">[];
}

function sampleOf(patches: readonly number[], index: number, onLoad: () => void): Row {
  const [tokens, labels]: [number[], number[]] = [[3 + index], [IGNORE_INDEX]];
  const media = patches.map((count, place): Row["media"][number] => {
    const columns = Int32Array.from({ length: count / DEEP.merged }, (_, at) => tokens.length + at);
    tokens.push(...Array.from(columns, () => 0), 3);
    labels.push(...Array.from(columns, () => IGNORE_INDEX), IGNORE_INDEX);
    return {
      modality: "image",
      contentKey: `${index} ${place}`,
      columns,
      facts: {},
      inputs: { patches: { rows: count, width: DEEP.patchValues } },
      load: () => {
        onLoad();
        const random = seededRandom(5, `item ${index} ${place}`);
        return Promise.resolve({
          patches: Float32Array.from({ length: count * DEEP.patchValues }, () => 2 * random() - 1),
        });
      },
    };
  });
  const words = [4 + index, 5 + (index % 3), 1];
  return { tokens: [...tokens, ...words], labels: [...labels, ...words], media };
}

function collate(rows: readonly Row[]): Batch {
  const tokenCount = Math.max(...rows.map(({ tokens }) => tokens.length));
  const padded = (pick: (row: Row) => readonly number[], padding: number): Int32Array =>
    Int32Array.from(
      rows.flatMap((row) => [...pick(row), ...Array<number>(tokenCount - row.tokens.length).fill(padding)]),
    );
  return {
    tokenIds: padded(({ tokens }) => tokens, 2),
    labels: padded(({ labels }) => labels, IGNORE_INDEX),
    attentionMask: padded(({ tokens }) => tokens.map(() => 1), 0),
    batchSize: rows.length,
    tokenCount,
    media: rows.flatMap(({ media }, sample) => media.map((item) => ({ ...item, sample }))),
    segmentOutputs: {},
    samples: rows.map((_, index) => ({ id: String(index) })),
  };
}
