import { IGNORE_INDEX, type RowSize } from "@thaw/contracts";
import { augmentationKinds } from "../images/augment.js";
import { collate, type Row } from "./collate.js";
import type { DataSource, PromptBatch, SourceContext } from "./data-source.js";
import { acquireDecodePool } from "../workers/decode-pool.js";
import { encodeConversation, encodePrompt } from "../text/encode.js";
import { sampleTooLong, setEmpty, sourceClosed } from "../errors.js";
import { createImageLoader, type ImageLoader } from "../workers/image-loader.js";
import { imageReference } from "../samples/image-reference.js";
import { checkFiles, type LoadedSamples, loadSamples } from "../formats/load-samples.js";
import type { AugmentOptions, SourceOptions } from "../formats/options.js";
import type { ImagePlan } from "../images/processor.js";
import { type Prepared, withPrefetch } from "./prefetch.js";
import { epochOrder, mixSeeds } from "./random.js";
import { resolveSource } from "../formats/resolve-source.js";
import type { Sample } from "../samples/sample.js";

/** Samples whose length is checked on opening: the longest by characters. */
const CHECKED_ON_OPENING = 256;
/** Conversations whose ids are kept: some 10 MB for captions. */
const KEPT_ENCODINGS = 20_000;

interface SourceSettings {
  readonly exif: boolean;
  readonly augment?: AugmentOptions;
  /** False: samples end with a question (captioning a user's own picture). */
  readonly answered: boolean;
}

function characterCount(sample: Sample): number {
  return sample.messages.reduce(
    (sum, { content }) =>
      sum + content.reduce((inner, part) => inner + (part.type === "text" ? part.text.length : 0), 0),
    0,
  );
}

type Encoded = Pick<Row, "tokenIds" | "labels" | "columns">;

/**
 * Encodes samples of one source: prompts or whole conversations, never longer than allowed. Conversations of small sets
 * are kept for later epochs.
 */
function createEncoder(
  context: SourceContext,
  loader: ImageLoader,
): (sample: Sample, withAnswer: boolean) => Promise<Encoded> {
  const { processor } = context;
  const maxLength = Math.min(
    context.maxLength ?? Number.POSITIVE_INFINITY,
    processor.maxPositions ?? Number.POSITIVE_INFINITY,
  );
  const kept = new Map<Sample, Encoded>();
  return async (sample, withAnswer) => {
    const known = withAnswer ? kept.get(sample) : undefined;
    if (known !== undefined) return known;
    const plans: ImagePlan[] = [];
    for (const image of sample.images) plans.push(await loader.plan(image, sample.origin));
    const options = { plans, origin: sample.origin };
    const prompt = withAnswer ? undefined : encodePrompt(processor, sample.messages, options);
    const encoded =
      prompt === undefined
        ? encodeConversation(processor, sample.messages, { ...options, endToken: "close" })
        : { ...prompt, labels: prompt.tokenIds.map(() => IGNORE_INDEX) };
    if (encoded.tokenIds.length > maxLength) {
      const imageTokenCount = plans.reduce((sum, { tokenCount }) => sum + tokenCount, 0);
      throw sampleTooLong(sample.origin, encoded.tokenIds.length, maxLength, imageTokenCount);
    }
    if (withAnswer && kept.size < KEPT_ENCODINGS) kept.set(sample, encoded);
    return encoded;
  };
}

function createSource(
  { samples, knownConcepts }: LoadedSamples,
  settings: SourceSettings,
  context: SourceContext,
): DataSource & { check(): Promise<void> } {
  const { processor, name = context.role } = context;
  const pool = acquireDecodePool(context.workers);
  const loader = createImageLoader(processor, pool, settings);
  const plainLoader = createImageLoader(processor, pool, { exif: settings.exif });
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
      const images = [];
      for (const [position, image] of sample.images.entries()) {
        const augmentSeed = seed === undefined ? undefined : mixSeeds(seed, index, position);
        images.push(
          await (augmentSeed === undefined ? plainLoader : loader).open(image, sample.origin, { augmentSeed, onLoad }),
        );
      }
      rows.push({ sample, ...encoded, images });
    }
    return {
      batch: collate(rows, processor.padTokenId),
      prefetch: () => rows.forEach(({ images }) => images.forEach((image) => image.prefetch())),
    };
  };

  return {
    name,
    processor,
    samples,
    knownConcepts,
    sampleCount: samples.length,
    textOnlyShare: samples.filter(({ images }) => images.length === 0).length / samples.length,
    augmentations: augmentationKinds(settings.augment),
    ...(settings.augment?.views === undefined ? {} : { views: settings.augment.views }),
    batches({ epoch, seed, microBatchSize, shuffle, skip = 0 }) {
      const order = epochOrder(samples.length, { seed, epoch, shuffle });
      const augmentSeed =
        augmentationKinds(settings.augment).length === 0
          ? undefined
          : mixSeeds(seed, epoch % (settings.augment?.views ?? Number.POSITIVE_INFINITY));
      return withPrefetch(skip, Math.ceil(samples.length / microBatchSize), (index, onLoad) =>
        prepare([...order.subarray(index * microBatchSize, (index + 1) * microBatchSize)], onLoad, true, augmentSeed),
      );
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
      const image = sample.images[0];
      if (image === undefined) throw setEmpty(sample.origin, "Only samples with an image have pixels.");
      const { item } = await plainLoader.open(image, sample.origin);
      const [input, { rows, width }] = Object.entries(item.inputs)[0] as [string, RowSize];
      return { values: (await item.load())[input] as Float32Array, shape: [rows, width] };
    },
    async check() {
      const longest = [...samples]
        .sort((left, right) => characterCount(right) - characterCount(left))
        .slice(0, CHECKED_ON_OPENING);
      for (const sample of longest) await encode(sample, settings.answered);
    },
    async close() {
      closed = true;
      await pool.release();
    },
  };
}

async function checked(source: DataSource & { check(): Promise<void> }): Promise<DataSource> {
  try {
    await source.check();
    return source;
  } catch (cause) {
    await source.close();
    throw cause;
  }
}

/**
 * Opens a data set: reads its samples, sees that every image file exists and that the longest samples fit. No image is
 * decoded yet. The caller closes the source.
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
 * Opens pictures to be captioned or asked about: `prompts` gives one row each. The caller closes the source. @throws
 * THAW_DATA_IMAGE_MISSING
 */
export async function openImages(
  paths: readonly string[],
  context: Omit<SourceContext, "role"> & { readonly prompt?: string },
): Promise<DataSource> {
  const content = [
    { type: "image" as const },
    { type: "text" as const, text: context.prompt ?? context.processor.captionPrompt },
  ];
  const samples = paths.map((path): Sample => ({
    id: path,
    origin: path,
    messages: [{ role: "user", content }],
    images: [imageReference(path, context.baseFolder, path)],
    reference: "",
  }));
  if (samples.length === 0) throw setEmpty("the list of images", "Name at least one image.");
  await checkFiles(samples);
  return checked(
    createSource(
      { samples, knownConcepts: new Set() },
      { exif: true, answered: false },
      { ...context, role: "evaluation" },
    ),
  );
}
