import { type Batch, type BatchSource, IGNORE_INDEX, type MediaItem } from "@thaw/core";
import { cutPatches, mixSeeds, mulberry32 } from "@thaw/data";
import { IMAGE_SIZE, mayMirror } from "./augment.js";
import { IMAGE_TOKENS, PATCH_SIZE, TOKEN_IDS } from "./model-files.js";
import { shuffle } from "./random.js";
import type { Rasters } from "./rasters.js";
import { VIEW_LENGTH } from "./views.js";
import type { ViewsPool } from "./views-pool.js";

/** A picture to train on. */
export interface TrainingPicture {
  readonly name: string;
  /** Index into the rasters. */
  readonly picture: number;
  /** Ids of the caption, without the end token. */
  readonly captionIds: readonly number[];
}

export interface PictureSourceOptions {
  readonly pictures: readonly TrainingPicture[];
  readonly rasters: Rasters;
  readonly pool: ViewsPool;
  /** Ids of the prompt between picture and caption. */
  readonly promptIds: readonly number[];
  /** Views in what core counts as an epoch: many passes, so that few batches are short. */
  readonly viewsPerEpoch: number;
  /** Augmentation strength at a share of the run, 0 to 1. */
  readonly strengthAt: (epoch: number, view: number) => number;
  /** Share of caption tokens that the decoder sees as unknown, though it must still say them. */
  readonly tokenDropout: number;
}

/**
 * An endless stream of passes over the pictures, each in its own order, cut into epochs; every view is a function of
 * seed, epoch and place.
 */
export function pictureSource(options: PictureSourceOptions): BatchSource {
  const { pictures, pool, viewsPerEpoch } = options;
  const tokenCount =
    IMAGE_TOKENS + options.promptIds.length + Math.max(...pictures.map(({ captionIds }) => captionIds.length)) + 1;
  return {
    name: "augmented pictures",
    sampleCount: viewsPerEpoch,
    textOnlyShare: 0,
    augmentations: ["warp", "colour", "flip", "noise", "cut-out"],
    close: () => pool.close(),
    async *batches({ epoch, seed, microBatchSize, shuffle: inRandomOrder, skip = 0 }) {
      const order = epochOrder(pictures.length, { viewsPerEpoch, epoch, seed, inRandomOrder });
      const waiting: { readonly start: number; readonly views: Promise<Float32Array> }[] = [];
      let start = skip * microBatchSize;
      for (;;) {
        for (; waiting.length < pool.parallelism && start < order.length; start += microBatchSize) {
          const views = order.slice(start, start + microBatchSize).map((index, at) => ({
            picture: (pictures[index] as TrainingPicture).picture,
            seed: mixSeeds(seed, epoch, start + at),
            mirror: mayMirror((pictures[index] as TrainingPicture).name),
          }));
          const made = pool.make({ views, strength: options.strengthAt(epoch, start) });
          made.catch(() => {});
          waiting.push({ start, views: made });
        }
        const first = waiting.shift();
        if (first === undefined) return;
        const chosen = order
          .slice(first.start, first.start + microBatchSize)
          .map((index) => pictures[index] as TrainingPicture);
        const random = mulberry32(mixSeeds(seed, epoch, first.start, 1));
        yield {
          ...tokensOf(chosen, { ...options, tokenCount, random }),
          media: itemsOf(viewsOf(await first.views), `${seed}:${epoch}:${first.start}`),
        };
      }
    },
  };
}

function epochOrder(
  count: number,
  options: { viewsPerEpoch: number; epoch: number; seed: number; inRandomOrder: boolean },
): number[] {
  const order: number[] = [];
  for (let pass = 0; order.length < options.viewsPerEpoch; pass += 1) {
    const indices = Array.from({ length: count }, (_, index) => index);
    order.push(
      ...(options.inRandomOrder
        ? shuffle(indices, mulberry32(mixSeeds(options.seed, options.epoch, pass, 2)))
        : indices),
    );
  }
  return order.slice(0, options.viewsPerEpoch);
}

function viewsOf(views: Float32Array): Float32Array[] {
  return Array.from({ length: views.length / VIEW_LENGTH }, (_, index) =>
    views.subarray(index * VIEW_LENGTH, (index + 1) * VIEW_LENGTH),
  );
}

/** One image a row, at its beginning: views `[3, size, size]`, cut into patches as they are asked for. */
export function itemsOf(views: readonly Float32Array[], key: string): MediaItem[] {
  const planes = { channels: 3, height: IMAGE_SIZE, width: IMAGE_SIZE };
  return views.map((view, sample) => ({
    modality: "image",
    contentKey: `${key}:${sample}`,
    sample,
    columns: Int32Array.from({ length: IMAGE_TOKENS }, (_, column) => column),
    facts: {},
    inputs: { pixelValues: { rows: IMAGE_TOKENS, width: 3 * PATCH_SIZE ** 2 } },
    load: () => Promise.resolve({ pixelValues: cutPatches(view, planes, PATCH_SIZE) }),
  }));
}

/**
 * Image, prompt, caption, end; padded on the right to one length for the whole run, so that every step has the same
 * shapes.
 */
export function tokensOf(
  pictures: readonly TrainingPicture[],
  options: {
    readonly promptIds: readonly number[];
    readonly tokenCount: number;
    readonly tokenDropout: number;
    readonly random: () => number;
  },
): Omit<Batch, "media"> {
  const { promptIds, tokenCount } = options;
  const size = pictures.length * tokenCount;
  const tokenIds = new Int32Array(size).fill(TOKEN_IDS["<pad>"]);
  const attentionMask = new Int32Array(size);
  const labels = new Int32Array(size).fill(IGNORE_INDEX);
  for (const [row, { captionIds }] of pictures.entries()) {
    const at = row * tokenCount;
    const caption = at + IMAGE_TOKENS + promptIds.length;
    tokenIds.fill(TOKEN_IDS["<image>"], at, at + IMAGE_TOKENS);
    tokenIds.set(promptIds, at + IMAGE_TOKENS);
    tokenIds.set(
      captionIds.map((id) => (options.random() < options.tokenDropout ? TOKEN_IDS["<unk>"] : id)),
      caption,
    );
    tokenIds[caption + captionIds.length] = TOKEN_IDS["</s>"];
    labels.set(captionIds, caption);
    labels[caption + captionIds.length] = TOKEN_IDS["</s>"];
    attentionMask.fill(1, at, caption + captionIds.length + 1);
  }
  const samples = pictures.map(({ name }) => ({ id: name, reference: name.replaceAll("-", " ") }));
  return { tokenIds, attentionMask, labels, batchSize: pictures.length, tokenCount, segmentOutputs: {}, samples };
}
