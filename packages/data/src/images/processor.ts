import type { RowSize } from "@thaw/contracts";
import type { Tokenizer } from "../text/tokenizer.js";
import type { ChatTemplate } from "../text/chat-template.js";

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

/** What one item becomes. */
export interface ItemPlan {
  /** Text that stands for the item in the prompt once it is expanded, e.g. `<image>` 576 times. */
  readonly placeholder: string;
  /** Id of the tokens that features stand in for; the placeholder may hold others too. */
  readonly tokenId: number;
  /** How many of them the placeholder holds. */
  readonly tokenCount: number;
  /** What the model has to know on the host: grid, tiles, original size. */
  readonly facts: Readonly<Record<string, readonly number[]>>;
  /** Model inputs made from it: `{ pixelValues: { rows: 576, width: 588 } }`, one patch per row. */
  readonly inputs: Readonly<Record<string, RowSize>>;
}

/** The part of a processor that runs in a decode worker. */
export interface ImageProcessor {
  /** Values per input of `ItemPlan.inputs`: float32 `[rows, width]`, row-major. */
  process(image: RgbImage): Readonly<Record<string, Float32Array>>;
}

/** How a worker makes an `ImageProcessor`: imports `module` and calls its export `exportName` with `options`. */
export interface ImageProcessorModule {
  /** URL of a compiled JavaScript module, e.g. from `workerModuleUrl(import.meta.url)`. */
  readonly module: string;
  readonly exportName: string;
  /** Plain data: it is copied to the worker and hashed into every content key. */
  readonly options: unknown;
}

/** What a processor does with one kind of item. */
export interface MediaProcessor {
  /** What the chat template renders for one item, e.g. `<image>`. */
  readonly placeholder: string;
  /** Makes the model's inputs of it, in a decode worker. */
  readonly worker: ImageProcessorModule;
  /** True where the plan of an item depends on its size (tiles); then headers are read first. */
  readonly needsSize: boolean;
  /** `size` is given whenever `needsSize`. */
  plan(size?: ImageSize): ItemPlan;
}

/** Turns samples of a family into what its model reads. Built from a checkpoint folder by the family. */
export interface Processor {
  readonly modelType: string;
  /** Folder, for messages. */
  readonly source: string;
  readonly tokenizer: Tokenizer;
  /** Absent for checkpoints that only caption. */
  readonly template?: ChatTemplate;
  /** Prompt of a captioning sample unless the data set has its own. */
  readonly captionPrompt: string;
  /** Ids that end an answer. */
  readonly endTokenIds: readonly number[];
  /** Id appended to an answer that the template leaves open. */
  readonly endTokenId: number;
  readonly padTokenId: number;
  /** Most tokens that the language model has positions for; a longer sample is an error. */
  readonly maxPositions?: number;
  /** Rows of the language model's embedding; a sample with a token beyond them is an error. */
  readonly embeddingRows?: number;
  /** Size at which drawings are rasterised. */
  readonly rasterSize: ImageSize;
  /** By modality, what becomes of items. */
  readonly media: { readonly image: MediaProcessor };
}
