import { shown } from "@thaw/contracts";
import { processorUnsupported } from "../errors/samples.js";
import type { RgbImage } from "./processor.js";
import { RESAMPLE_NAMES, type ResampleName } from "./resample-filters.js";

/** A number per channel. */
export type ChannelValues = readonly [number, number, number];

/** How bytes become numbers, and by which filter images are resized before: plain data for a worker. */
export interface PixelOptions {
  readonly resample: ResampleName;
  /** Factor of the pixels; 1 where `do_rescale` is off. */
  readonly rescaleFactor: number;
  readonly normalize: { readonly mean: ChannelValues; readonly std: ChannelValues } | null;
}

type Json = Readonly<Record<string, unknown>>;

/**
 * The class of an image processor's config, without `Fast` and `Pil`: the variants of transformers round a little
 * differently when they resize; here every one is Pillow-exact. @throws THAW_DATA_PROCESSOR for one that is not in
 * `known`
 */
export function imageProcessorClass(file: Json, known: readonly string[], fallback: string, source: string): string {
  const given = file["image_processor_type"] ?? file["feature_extractor_type"];
  const named = typeof given === "string" ? given : fallback;
  const type = named.replace(/(Fast|Pil)$/, "").replace(/FeatureExtractor$/, "ImageProcessor");
  if (known.includes(type)) return type;
  throw processorUnsupported(source, `The image processor "${named}" is not known.`, `Known: ${known.join(", ")}.`);
}

/**
 * Reads `resample`, `do_rescale`, `rescale_factor`, `do_normalize`, `image_mean` and `image_std` of an image
 * processor's config, in which the defaults of its class are. @throws THAW_DATA_PROCESSOR
 */
export function readPixelOptions(config: Json, source: string): PixelOptions {
  const resample = RESAMPLE_NAMES[config["resample"] as number];
  if (resample === undefined)
    throw processorUnsupported(
      source,
      `The resample code ${shown(config["resample"])} is not one of Pillow's.`,
      `0 to 5 are ${RESAMPLE_NAMES.join(", ")}.`,
    );
  return {
    resample,
    rescaleFactor: config["do_rescale"] === false ? 1 : Number(config["rescale_factor"] ?? 1 / 255),
    normalize:
      config["do_normalize"] === false
        ? null
        : {
            mean: triple(config["image_mean"], "image_mean", source),
            std: triple(config["image_std"], "image_std", source),
          },
  };
}

function triple(value: unknown, key: string, source: string): ChannelValues {
  if (typeof value === "number") return [value, value, value];
  if (Array.isArray(value) && value.length === 3 && value.every((entry) => typeof entry === "number"))
    return value as [number, number, number];
  throw processorUnsupported(
    source,
    `The ${key} ${shown(value)} is not three numbers.`,
    "Write one number per channel.",
  );
}

/** 256 values of one channel: float64 product to float32, then float32 minus and divided by, as numpy does it. */
function channelValues({ rescaleFactor, normalize }: PixelOptions, channel: 0 | 1 | 2): Float32Array {
  return Float32Array.from({ length: 256 }, (_, byte) => {
    const scaled = Math.fround(byte * rescaleFactor);
    if (normalize === null) return scaled;
    return Math.fround(
      Math.fround(scaled - Math.fround(normalize.mean[channel])) / Math.fround(normalize.std[channel]),
    );
  });
}

/** Planes of an image, `[3, height, width]` float32, rescaled and normalised. */
export function pixelPlanes({ data, width, height }: RgbImage, options: PixelOptions): Float32Array {
  const plane = width * height;
  const values = new Float32Array(3 * plane);
  ([0, 1, 2] as const).forEach((channel) => {
    const table = channelValues(options, channel);
    for (let pixel = 0; pixel < plane; pixel += 1)
      values[channel * plane + pixel] = table[data[pixel * 3 + channel] as number] as number;
  });
  return values;
}
