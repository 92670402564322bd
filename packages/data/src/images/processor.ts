/** 8-bit RGB pixels, `[height, width, 3]` row-major. */
export interface RgbImage {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;
}

export interface ImageSize {
  readonly width: number;
  readonly height: number;
}

/** The part of a processor that makes inputs of an image, in a decode worker. */
export interface ImageProcessor {
  /** Values per input of `ItemPlan.inputs`: float32 `[rows, width]`, row-major. */
  process(image: RgbImage): Readonly<Record<string, Float32Array>>;
}
