import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { cutPatches } from "@thaw/data";

/** ViT-L/14 for 336 pixels. */
const LARGE_TOWER = {
  image_size: 336,
  patch_size: 14,
  hidden_size: 1024,
  intermediate_size: 4096,
  num_hidden_layers: 24,
  num_attention_heads: 16,
};

/** Sizes, tokens and data of `peer_transformers.py`, which says what they are. */
export const SIZES = {
  S: {
    vision: { hidden_size: 384, intermediate_size: 1536, num_hidden_layers: 12, num_attention_heads: 6 },
    text: {
      hidden_size: 384,
      intermediate_size: 1024,
      num_hidden_layers: 8,
      num_attention_heads: 6,
      num_key_value_heads: 6,
      vocab_size: 8192,
    },
  },
  M: {
    vision: { hidden_size: 768, intermediate_size: 3072, num_hidden_layers: 12, num_attention_heads: 12 },
    text: {
      hidden_size: 576,
      intermediate_size: 1536,
      num_hidden_layers: 30,
      num_attention_heads: 9,
      num_key_value_heads: 3,
      vocab_size: 49152,
    },
  },
  // For GPUs: LLaVA-1.5's tower and Llama 3.2 1B, or its own language model.
  "1B": {
    vision: LARGE_TOWER,
    text: {
      hidden_size: 2048,
      intermediate_size: 8192,
      num_hidden_layers: 16,
      num_attention_heads: 32,
      num_key_value_heads: 8,
      vocab_size: 128256,
    },
  },
  "7B": {
    vision: LARGE_TOWER,
    text: {
      hidden_size: 4096,
      intermediate_size: 11008,
      num_hidden_layers: 32,
      num_attention_heads: 32,
      num_key_value_heads: 32,
      vocab_size: 32064,
    },
  },
};
const IMAGE = 224;
const PATCH = 16;
const IGNORED = -100;

/** What a case may change, as the benchmark of growing cost does. */
export const DEFAULT_SHAPE = { batch: 4, imageTokens: (IMAGE / PATCH) ** 2, textTokens: 24, supervised: 16 };

/** The same for the size that only GPUs run. */
export const LARGE_SHAPE = { batch: 8, imageTokens: 576, textTokens: 24, supervised: 16 };

export const SIZE_NAMES = ["S", "M"];

/**
 * Multiply-adds of the products that a projector-only step cannot do without: forward of all, backward through what
 * lies behind the projector and into the projector's weights. Of the last layer, keys and values of all rows and the
 * rest of supervised ones; of causal attention, the half that is seen.
 */
export function productWork(size, { batch, imageTokens, textTokens, supervised, isCached }) {
  const { vision, text } = SIZES[size];
  const tokens = imageTokens + textTokens;
  const [rows, imageRows, lossRows] = [batch * tokens, batch * imageTokens, batch * supervised];
  const [v, h] = [vision.hidden_size, text.hidden_size];
  const kv = (h / text.num_attention_heads) * text.num_key_value_heads;
  const patches = imageTokens + 1;
  // Features are the second to last layer's output.
  const tower = isCached
    ? 0
    : imageRows * 3 * PATCH ** 2 * v +
      (vision.num_hidden_layers - 1) *
        batch *
        patches *
        (4 * v * v + 2 * v * vision.intermediate_size + 2 * patches * v);
  const projector = imageRows * (2 * v * h + 3 * h * h);
  const rest = 2 * h * h + 3 * h * text.intermediate_size;
  const attention = (count) => count * tokens * h;
  const layers =
    (text.num_hidden_layers - 1) * (rows * (rest + 2 * h * kv) + attention(rows)) +
    rows * 2 * h * kv +
    lossRows * rest +
    2 * attention(lossRows);
  // Backward through attention takes five products where forward takes two.
  const backwardAttention = (text.num_hidden_layers - 1) * 1.5 * attention(rows) + 3 * attention(lossRows);
  return tower + projector + 2 * layers + backwardAttention + 2 * lossRows * h * text.vocab_size;
}

/** Runs `use` with a folder that holds nothing but a `config.json` of a random LLaVA. */
export async function withModelFolder(size, use, { layers } = {}) {
  const folder = await mkdtemp(join(tmpdir(), "thaw-bench-"));
  try {
    await writeFile(join(folder, "config.json"), JSON.stringify(config(SIZES[size], layers)));
    return await use(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function config({ vision, text }, layers) {
  return {
    model_type: "llava",
    vision_config: { model_type: "clip_vision_model", image_size: IMAGE, patch_size: PATCH, ...vision },
    text_config: {
      model_type: "llama",
      max_position_embeddings: 2048,
      tie_word_embeddings: true,
      ...text,
      ...(layers === undefined ? {} : { num_hidden_layers: layers }),
    },
    image_token_id: text.vocab_size - 1,
    vision_feature_layer: -2,
    vision_feature_select_strategy: "default",
    tie_word_embeddings: true,
  };
}

/**
 * Samples as the peer has them: one random image, all of its tokens first, then random text of which the last tokens
 * are supervised. Pixels are made when they are loaded, from bytes, or once if `isDecoded`. `images`: how many
 * different ones there are (default: one a sample). `knownShare`: of a batch's images, the share that comes again under
 * the same key; the others are new ones every time.
 */
export function syntheticSource({
  size,
  samples,
  imageTokens,
  textTokens,
  supervised,
  images = samples,
  isDecoded = false,
  knownShare = 1,
}) {
  const side = SIZES[size].vision.image_size ?? IMAGE;
  const imageToken = SIZES[size].text.vocab_size - 1;
  const tokens = imageTokens + textTokens;
  const random = generator(1);
  const pixels = Array.from({ length: images }, () =>
    Uint8Array.from({ length: 3 * side * side }, () => random() * 256),
  );
  const texts = Array.from({ length: samples }, () =>
    Int32Array.from({ length: textTokens }, () => 3 + Math.floor(random() * (imageToken - 3))),
  );
  const patch = SIZES[size].vision.patch_size ?? PATCH;
  const planes = { channels: 3, height: side, width: side };
  const decode = (image) =>
    cutPatches(
      Float32Array.from(pixels[image], (value) => value / 127.5 - 1),
      planes,
      patch,
    );
  const decoded = isDecoded ? pixels.map((_, image) => decode(image)) : undefined;
  let newCount = 0;
  const keyOf = (image, place, count) => (place < knownShare * count ? `random-${image}` : `new-${newCount++}`);
  const item = (image, key, sample) => ({
    modality: "image",
    contentKey: key,
    sample,
    columns: Int32Array.from({ length: imageTokens }, (_, column) => column),
    facts: {},
    inputs: { pixelValues: { rows: Math.floor(side / patch) ** 2, width: 3 * patch ** 2 } },
    load: async () => ({ pixelValues: decoded?.[image] ?? decode(image) }),
  });
  const batchOf = (rows) => {
    const tokenIds = new Int32Array(rows.length * tokens).fill(imageToken);
    rows.forEach((row, index) => tokenIds.set(texts[row], index * tokens + imageTokens));
    const labels = tokenIds.map((id, index) => (index % tokens >= tokens - supervised ? id : IGNORED));
    return {
      tokenIds,
      labels,
      attentionMask: new Int32Array(tokenIds.length).fill(1),
      batchSize: rows.length,
      tokenCount: tokens,
      media: rows.map((row, place) => item(row % images, keyOf(row % images, place, rows.length), place)),
      segmentOutputs: {},
      samples: rows.map((row) => ({ id: String(row) })),
    };
  };
  return {
    name: "synthetic",
    sampleCount: samples,
    augmentations: [],
    async *batches({ epoch, microBatchSize, shuffle, skip = 0 }) {
      const order = Array.from({ length: samples }, (_, row) => row);
      if (shuffle) shuffleInPlace(order, generator(epoch + 2));
      for (let start = skip * microBatchSize; start < samples; start += microBatchSize)
        yield batchOf(order.slice(start, start + microBatchSize));
    },
    close: async () => undefined,
  };
}

/** Uniform in [0, 1): the linear congruential generator of Numerical Recipes, 2nd edition, section 7.1. */
function generator(seed) {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

function shuffleInPlace(list, random) {
  for (let last = list.length - 1; last > 0; last -= 1) {
    const other = Math.floor(random() * (last + 1));
    [list[last], list[other]] = [list[other], list[last]];
  }
}
