import type { Batch, RowSize, Sample, SampleSet } from "@thaw/contracts";
import { setEmpty, sourceClosed } from "../errors/files.js";
import { augmentationKinds } from "../images/augment.js";
import { acquireDecodePool } from "../workers/decode-pool.js";
import { createMediaLoader, type MediaLoader } from "../workers/media-loader.js";
import { WHOLE_SET } from "../samples/sizes.js";
import type { AugmentOptions } from "../formats/generated/option-types.js";
import { joinedSets } from "../formats/joined.js";
import { collate, type Row } from "./collate.js";
import type { ChoiceBatch, DataSource, PromptBatch, SourceContext } from "./data-source.js";
import { choiceRows, withChoice } from "./order/choice-rows.js";
import { createEncoder, type EncodedPart } from "./encoder.js";
import { lookAhead } from "./order/look-ahead.js";
import { groupedByLength, paddingShare } from "./order/length-groups.js";
import { type EpochOptions, mixedOrder, type MixStrategy, samplesPerEpoch } from "./order/order.js";
import { type Prepared, withPrefetch } from "./prefetch.js";
import { mixSeeds } from "./random.js";
import { Skipping } from "./skipping.js";

/** One data set of a source. */
export interface SourcePart {
  readonly samples: SampleSet;
  readonly augment?: AugmentOptions | undefined;
  /** Its share of an epoch, where sets have weights. */
  readonly weight?: number | undefined;
  /** How many of its samples an epoch holds. */
  readonly perEpoch?: number | undefined;
}

/** What a source is made of. */
export interface SourceParts {
  readonly parts: readonly SourcePart[];
  readonly mix?: MixStrategy;
  knownConcepts(): Promise<ReadonlySet<string>>;
  /** False: samples end with a question (captioning a user's own picture). */
  readonly answered: boolean;
  /** Samples that cannot be used are replaced by others, not an error. */
  readonly skips?: boolean;
}

/** After so many epochs pictures come again: undefined where some set never repeats its own. */
function viewsOf(parts: readonly SourcePart[]): number | undefined {
  const augmented = parts.filter(({ augment }) => augmentationKinds(augment).length > 0);
  if (augmented.length === 0) return parts.find(({ augment }) => augment?.views !== undefined)?.augment?.views;
  const divisor = (one: number, other: number): number => (other === 0 ? one : divisor(other, one % other));
  return augmented.reduce<number | undefined>((all, { augment }) => {
    const views = augment?.views;
    return all === undefined || views === undefined ? undefined : (all * views) / divisor(all, views);
  }, 1);
}

/**
 * A source of batches over one or several sets, after all samples were looked at as far as that is cheap
 * ({@link lookAhead}). The caller closes it.
 * @throws THAW_DATA_* naming file and line
 */
export async function createSource(made: SourceParts, context: SourceContext): Promise<DataSource> {
  const { parts, mix = "concatenate", answered, skips = false } = made;
  const { processor, name = context.role } = context;
  const samples = joinedSets(parts.map((part) => part.samples));
  const pool = acquireDecodePool(context.workers);
  const loaders = parts.map(({ samples: { exif = true }, augment }) =>
    createMediaLoader(processor, pool, { exif, ...(augment === undefined ? {} : { augment }) }),
  );
  const loaderOf = (index: number): MediaLoader => loaders[samples.partOf(index)]!;
  const encode = createEncoder(context);
  const skipping = new Skipping(skips);
  let closed = false;
  let lengths: Float64Array | undefined;

  const rowOf = async (
    index: number,
    onLoad: () => void,
    part: EncodedPart,
    { epochSeed, choice }: { readonly epochSeed?: EpochSeed | undefined; readonly choice?: number } = {},
  ): Promise<Row> => {
    const read = await samples.read(index);
    const sample = choice === undefined ? read : withChoice(read, choice);
    const loader = loaderOf(index);
    const encoded = await encode(sample, loader, part);
    const seed = epochSeed?.(samples.partOf(index));
    const media = [];
    for (const [position, item] of sample.media.entries()) {
      const augmentSeed = seed === undefined ? undefined : mixSeeds(seed, index, position);
      media.push(await loader.open(item, sample.origin, { augmentSeed, onLoad }));
    }
    return { sample, ...encoded, media };
  };
  const collated = (rows: readonly Row[]): Prepared<Batch> => ({
    batch: collate(rows, processor.padTokenId),
    prefetch: () => rows.forEach(({ media }) => media.forEach((item) => item.prefetch())),
  });
  /** Rows of the places `first` to `end - 1` of an epoch's order. */
  const prepare = async (
    order: Int32Array,
    [first, end]: readonly [number, number],
    onLoad: () => void,
    seed?: EpochSeed,
  ): Promise<Prepared<Batch>> => {
    if (closed) throw sourceClosed(name);
    const rows: Row[] = [];
    for (let place = first; place < end; place += 1)
      rows.push(await skipping.row(order, place, (index) => rowOf(index, onLoad, "whole", { epochSeed: seed })));
    return collated(rows);
  };

  const mixed = parts.map(({ samples: { count }, weight, perEpoch }) => ({ count, weight, samples: perEpoch }));
  const sampleCount = samplesPerEpoch(mixed).reduce((sum, count) => sum + count, 0);
  const views = viewsOf(parts);
  const orderOf = (options: EpochOptions & { readonly microBatchSize: number }): Int32Array => {
    const order = mixedOrder(mixed, mix, options);
    if (context.groupByLength !== true || !options.shuffle || lengths === undefined) return order;
    return groupedByLength(order, lengths, options);
  };
  const source: Omit<DataSource, "contents"> = {
    name,
    processor,
    samples,
    knownConcepts: () => made.knownConcepts(),
    sampleCount,
    shards: true,
    skipped: () => skipping.skipped(),
    padding(microBatchSize, seed) {
      if (context.groupByLength !== true || lengths === undefined) return undefined;
      const options = { seed, epoch: 0, shuffle: true, microBatchSize };
      const plain = paddingShare(mixedOrder(mixed, mix, options), lengths, microBatchSize);
      return { grouped: paddingShare(orderOf(options), lengths, microBatchSize), plain };
    },
    augmentations: [...new Set(parts.flatMap(({ augment }) => augmentationKinds(augment)))],
    ...(views === undefined ? {} : { views }),
    batches({ epoch, seed, microBatchSize, shuffle, skip = 0, shard = { index: 0, count: 1 } }) {
      const order = orderOf({ seed, epoch, shuffle, microBatchSize });
      const epochSeed: EpochSeed = (part) => {
        const { augment } = parts[part]!;
        if (augmentationKinds(augment).length === 0) return undefined;
        return mixSeeds(seed, epoch % (augment?.views ?? Number.POSITIVE_INFINITY));
      };
      const total = Math.ceil(sampleCount / microBatchSize);
      return withPrefetch(skip, Math.ceil(total / shard.count), (round, onLoad) => {
        const first = Math.min(sampleCount, (round * shard.count + shard.index) * microBatchSize);
        const end = Math.min(sampleCount, first + microBatchSize);
        return prepare(order, [first, end], onLoad, epochSeed);
      });
    },
    prompts({ microBatchSize, indices = Array.from({ length: samples.count }, (_, index) => index) }) {
      return withPrefetch<PromptBatch>(0, Math.ceil(indices.length / microBatchSize), async (index, onLoad) => {
        if (closed) throw sourceClosed(name);
        const chosen = indices.slice(index * microBatchSize, (index + 1) * microBatchSize);
        const rows: Row[] = [];
        for (const sample of chosen) rows.push(await rowOf(sample, onLoad, "prompt"));
        const { batch, prefetch } = collated(rows);
        return { batch: { ...batch, indices: chosen }, prefetch };
      });
    },
    async *choices({ microBatchSize, indices = Array.from({ length: samples.count }, (_, index) => index) }) {
      const all = await choiceRows(samples, indices);
      yield* withPrefetch<ChoiceBatch>(0, Math.ceil(all.length / microBatchSize), async (number, onLoad) => {
        if (closed) throw sourceClosed(name);
        const chosen = all.slice(number * microBatchSize, (number + 1) * microBatchSize);
        const rows: Row[] = [];
        for (const { index, choice } of chosen) rows.push(await rowOf(index, onLoad, "choice", { choice }));
        const { batch, prefetch } = collated(rows);
        const own = { indices: chosen.map(({ index }) => index), choices: chosen.map(({ choice }) => choice) };
        return { batch: { ...batch, ...own }, prefetch };
      });
    },
    async pixels(index) {
      if (closed) throw sourceClosed(name);
      const sample: Sample = await samples.read(index);
      const image = sample.media.find(({ modality }) => modality === "image");
      if (image === undefined) throw setEmpty(sample.origin, "Only samples with an image have pixels.");
      const { item } = await loaderOf(index).open(image, sample.origin);
      const [input, { rows, width }] = Object.entries(item.inputs)[0] as [string, RowSize];
      return { values: (await item.load())[input] as Float32Array, shape: [rows, width] };
    },
    async close() {
      if (closed) return;
      closed = true;
      await pool.release();
      await samples.close?.();
    },
  };
  try {
    const looked = await lookAhead({
      samples,
      processor,
      encode,
      loaderOf,
      answered,
      skips,
      isWhole: samples.count <= WHOLE_SET || context.looksAtAll === true,
      ...(context.looksAtAll === true ? { limitMs: Number.POSITIVE_INFINITY } : {}),
    });
    const { problems, lengths: known, ...seen } = looked;
    lengths = known;
    skipping.leaveOut(problems);
    return { ...source, ...seen };
  } catch (cause) {
    await source.close();
    throw cause;
  }
}

/** The seed of an epoch's random changes, by number of the set; undefined for a set that changes nothing. */
type EpochSeed = (part: number) => number | undefined;
