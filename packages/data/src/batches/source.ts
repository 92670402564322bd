import type { RowSize } from "@thaw/contracts";
import { augmentationKinds } from "../images/augment.js";
import { collate, type Row } from "./collate.js";
import type { DataSource, PromptBatch, SourceContext } from "./data-source.js";
import { acquireDecodePool } from "../workers/decode-pool.js";
import { createEncoder } from "./encoder.js";
import { setEmpty, sourceClosed } from "../errors.js";
import { createMediaLoader } from "../workers/media-loader.js";
import { lookAhead } from "./look-ahead.js";
import { mediaReference, modalityOf } from "../samples/media-reference.js";
import { checkFiles, type LoadedSamples, loadSamples } from "../formats/load-samples.js";
import type { AugmentOptions, SourceOptions } from "../formats/options.js";
import { type Prepared, withPrefetch } from "./prefetch.js";
import { epochOrder, mixSeeds } from "./random.js";
import { resolveSource } from "../formats/resolve-source.js";
import type { Sample } from "../samples/sample.js";

interface SourceSettings {
  readonly exif: boolean;
  readonly augment?: AugmentOptions;
  /** False: samples end with a question (captioning a user's own picture). */
  readonly answered: boolean;
}

function createSource(
  { samples, knownConcepts }: LoadedSamples,
  settings: SourceSettings,
  context: SourceContext,
): { readonly source: DataSource; readonly check: () => Promise<DataSource> } {
  const { processor, name = context.role } = context;
  const pool = acquireDecodePool(context.workers);
  const loader = createMediaLoader(processor, pool, settings);
  const encode = createEncoder(context, loader);
  let closed = false;

  const prepare = async (
    indices: readonly number[],
    onLoad: () => void,
    withAnswer: boolean,
    seed?: number,
  ): Promise<Prepared<ReturnType<typeof collate>>> => {
    if (closed) throw sourceClosed(name);
    const rows: Row[] = [];
    for (const index of indices) {
      const sample = samples[index] as Sample;
      const encoded = await encode(sample, withAnswer);
      const media = [];
      for (const [position, item] of sample.media.entries()) {
        const augmentSeed = seed === undefined ? undefined : mixSeeds(seed, index, position);
        media.push(await loader.open(item, sample.origin, { augmentSeed, onLoad }));
      }
      rows.push({ sample, ...encoded, media });
    }
    return {
      batch: collate(rows, processor.padTokenId),
      prefetch: () => rows.forEach(({ media }) => media.forEach((item) => item.prefetch())),
    };
  };

  const source: DataSource = {
    name,
    processor,
    samples,
    knownConcepts,
    sampleCount: samples.length,
    textOnlyShare: samples.filter(({ media }) => media.length === 0).length / samples.length,
    augmentations: augmentationKinds(settings.augment),
    ...(settings.augment?.views === undefined ? {} : { views: settings.augment.views }),
    shards: true,
    batches({ epoch, seed, microBatchSize, shuffle, skip = 0, shard = { index: 0, count: 1 } }) {
      const order = epochOrder(samples.length, { seed, epoch, shuffle });
      const augmentSeed =
        augmentationKinds(settings.augment).length === 0
          ? undefined
          : mixSeeds(seed, epoch % (settings.augment?.views ?? Number.POSITIVE_INFINITY));
      const rounds = Math.ceil(Math.ceil(samples.length / microBatchSize) / shard.count);
      return withPrefetch(skip, rounds, (round, onLoad) => {
        const first = (round * shard.count + shard.index) * microBatchSize;
        return prepare([...order.subarray(first, first + microBatchSize)], onLoad, true, augmentSeed);
      });
    },
    prompts({ microBatchSize, indices = samples.map((_, index) => index) }) {
      return withPrefetch<PromptBatch>(0, Math.ceil(indices.length / microBatchSize), async (index, onLoad) => {
        const rows = indices.slice(index * microBatchSize, (index + 1) * microBatchSize);
        const { batch, prefetch } = await prepare(rows, onLoad, false);
        return { batch: { ...batch, indices: rows }, prefetch };
      });
    },
    async pixels(index) {
      if (closed) throw sourceClosed(name);
      const sample = samples[index] as Sample;
      const image = sample.media.find(({ modality }) => modality === "image");
      if (image === undefined) throw setEmpty(sample.origin, "Only samples with an image have pixels.");
      const { item } = await loader.open(image, sample.origin);
      const [input, { rows, width }] = Object.entries(item.inputs)[0] as [string, RowSize];
      return { values: (await item.load())[input] as Float32Array, shape: [rows, width] };
    },
    async close() {
      closed = true;
      await pool.release();
    },
  };
  return {
    source,
    check: async () => {
      const { answered } = settings;
      return { ...source, ...(await lookAhead({ samples, processor, encode, loader, answered })) };
    },
  };
}

async function checked({ source, check }: ReturnType<typeof createSource>): Promise<DataSource> {
  try {
    return await check();
  } catch (cause) {
    await source.close();
    throw cause;
  }
}

/**
 * Opens a data set: reads its samples, and looks at all of them as far as that is cheap ({@link lookAhead}). Of images
 * only those are decoded that do not look whole. The caller closes the source.
 * @throws THAW_DATA_* naming file and line
 */
export async function openSource(options: SourceOptions, context: SourceContext): Promise<DataSource> {
  const resolved = await resolveSource(options, context.baseFolder);
  const loaded = await loadSamples(resolved, {
    baseFolder: context.baseFolder,
    captionPrompt: context.processor.captionPrompt,
    role: context.role,
  });
  return checked(
    createSource(
      loaded,
      { exif: resolved.type === "iconify" ? false : resolved.exif, augment: resolved.augment, answered: true },
      context,
    ),
  );
}

/**
 * Opens pictures and sounds (by how their names end) to be captioned or asked about: `prompts` gives one row each. The
 * caller closes the source.
 * @throws THAW_DATA_IMAGE_MISSING, THAW_DATA_AUDIO_MISSING
 */
export async function openMedia(
  paths: readonly string[],
  context: Omit<SourceContext, "role"> & { readonly prompt?: string },
): Promise<DataSource> {
  const { baseFolder } = context;
  const text = context.prompt ?? context.processor.captionPrompt;
  const samples = paths.map((path): Sample => {
    const item = mediaReference(path, modalityOf(path), { image: baseFolder, audio: baseFolder }, path);
    return {
      id: path,
      origin: path,
      messages: [{ role: "user", content: [{ type: item.modality }, { type: "text", text }] }],
      media: [item],
      reference: "",
    };
  });
  if (samples.length === 0) throw setEmpty("the list of images and sounds", "Name at least one.");
  return openQuestions(samples, context);
}

/**
 * Opens conversations that end with a question: `prompts` gives what the model goes on from. The caller closes the
 * source.
 * @throws THAW_DATA_* naming the sample's origin
 */
export async function openQuestions(
  samples: readonly Sample[],
  context: Omit<SourceContext, "role">,
): Promise<DataSource> {
  await checkFiles(samples);
  return checked(
    createSource(
      { samples, knownConcepts: new Set() },
      { exif: true, answered: false },
      { ...context, role: "evaluation" },
    ),
  );
}
