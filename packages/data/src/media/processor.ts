import type { RowSize, Modality } from "@thaw/contracts";
import type { ClipSize } from "../audio/clip.js";
import { modalityUnsupported } from "../errors/media.js";
import type { ImageSize } from "../images/processor.js";
import type { ChatTemplate } from "../text/chat-template.js";
import type { Tokenizer } from "../text/tokenizer.js";

/** What one item becomes. */
export interface ItemPlan {
  /** Text that stands for the item in the prompt once it is expanded, e.g. `<image>` 576 times. */
  readonly placeholder: string;
  /**
   * Text before and behind the item's number among those of its kind in the conversation, from 0, all of which stands
   * before the placeholder (MiniCPM-V). Absent: items have no numbers.
   */
  readonly number?: readonly [before: string, behind: string];
  /** Id of the tokens that features stand in for; the placeholder may hold others too. */
  readonly tokenId: number;
  /** How many of them the placeholder holds. */
  readonly tokenCount: number;
  /** Where features stand in for tokens of other ids too: the id of each, in order. They lie side by side. */
  readonly tokens?: readonly number[];
  /** What the model has to know on the host: grid, tiles, original size. */
  readonly facts: Readonly<Record<string, readonly number[]>>;
  /** Model inputs made from it: `{ pixelValues: { rows: 576, width: 588 } }`, one patch per row. */
  readonly inputs: Readonly<Record<string, RowSize>>;
}

/** How a worker makes what processes items: imports `module` and calls its export `exportName` with `options`. */
export interface MediaProcessorModule {
  /** URL of a compiled JavaScript module, e.g. from `workerModuleUrl(import.meta.url)`. */
  readonly module: string;
  readonly exportName: string;
  /** Plain data: it is copied to the worker and hashed into every content key. */
  readonly options: unknown;
}

/** What a processor does with one kind of item, whose size before processing is a `Size`. */
export interface MediaProcessor<Size> {
  /** What the chat template renders for one item, e.g. `<image>`. */
  readonly placeholder: string;
  /** Makes the model's inputs of it, in a decode worker. */
  readonly worker: MediaProcessorModule;
  /** True where the plan of an item depends on its size (tiles); then headers are read first. */
  readonly needsSize: boolean;
  /** `size` is given whenever `needsSize`. */
  plan(size?: Size): ItemPlan;
}

/** What becomes of images; the worker makes an `ImageProcessor`. */
export interface ImageMedia extends MediaProcessor<ImageSize> {
  /** Size at which drawings are rasterised. */
  readonly rasterSize: ImageSize;
}

/** What becomes of sound; the worker makes an `AudioProcessor`. */
export interface AudioMedia extends MediaProcessor<ClipSize> {
  /** Hertz that clips are resampled to before they are processed. */
  readonly samplingRate: number;
}

/** By modality, what becomes of items; a model reads no others. */
export interface ProcessorMedia {
  readonly image?: ImageMedia;
  readonly audio?: AudioMedia;
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
  readonly media: ProcessorMedia;
}

/**
 * What becomes of items of one kind. `origin` names the sample that has one. @throws THAW_DATA_MODALITY for a kind that
 * the model does not read
 */
export function mediaOf<Kind extends Modality>(
  { media, source }: Pick<Processor, "media" | "source">,
  modality: Kind,
  origin: string,
): NonNullable<ProcessorMedia[Kind]> {
  const found = media[modality];
  if (found === undefined) throw modalityUnsupported(origin, modality, source, Object.keys(media));
  return found;
}

/** By modality, what the chat template renders for one item. */
export function placeholdersOf(media: ProcessorMedia): Readonly<Partial<Record<Modality, string>>> {
  return Object.fromEntries(Object.entries(media).map(([modality, { placeholder }]) => [modality, placeholder]));
}

/** Where the tokens of an item of that plan are: the next ones from `from` on, or undefined if there are too few. */
export function itemColumns(
  { tokenId, tokenCount, tokens }: Pick<ItemPlan, "tokenId" | "tokenCount" | "tokens">,
  tokenIds: Readonly<ArrayLike<number>> & { indexOf(id: number, from: number): number },
  from: number,
): Int32Array | undefined {
  if (tokens !== undefined) {
    const first = tokenIds.indexOf(tokenId, from) - tokens.indexOf(tokenId);
    const isThere = first >= from && tokens.every((id, index) => tokenIds[first + index] === id);
    return isThere ? Int32Array.from(tokens, (_, index) => first + index) : undefined;
  }
  const columns = new Int32Array(tokenCount);
  let next = from;
  for (let index = 0; index < tokenCount; index += 1) {
    const at = tokenIds.indexOf(tokenId, next);
    if (at < 0) return undefined;
    columns[index] = at;
    next = at + 1;
  }
  return columns;
}
