import { IGNORE_INDEX, type Sample } from "@thaw/contracts";
import { sampleTooLong, tokenWithoutRow } from "../errors/samples.js";
import type { ItemPlan, Processor } from "../media/processor.js";
import { bounded } from "../text/bounded.js";
import { encodeConversation, encodePrompt } from "../text/encode.js";
import type { MediaLoader } from "../workers/media-loader.js";
import type { Row } from "./collate.js";
import type { SourceContext } from "./data-source.js";

/** A sample as ids, with its labels and the places of its items. */
export type Encoded = Pick<Row, "tokenIds" | "labels" | "columns">;

/** A whole sample, its prompt without the answer, or with the answer's own text labelled and nothing behind it. */
export type EncodedPart = "whole" | "prompt" | "choice";

/** Encodes one sample. */
export type Encoder = (sample: Sample, loader: MediaLoader, part: EncodedPart) => Promise<Encoded>;

/**
 * Encodes samples of one source: prompts or whole conversations, never longer than allowed, with no token that the
 * model has no embedding for. What a conversation became is kept as long as its sample is.
 */
export function createEncoder(context: SourceContext): Encoder {
  const { processor } = context;
  const maxLength = Math.min(
    context.maxLength ?? Number.POSITIVE_INFINITY,
    processor.maxPositions ?? Number.POSITIVE_INFINITY,
  );
  const kept = new WeakMap<Sample, Encoded>();
  return async (sample, loader, part) => {
    const known = part === "whole" ? kept.get(sample) : undefined;
    if (known !== undefined) return known;
    const plans: ItemPlan[] = [];
    for (const item of sample.media) plans.push(await loader.plan(item, sample.origin));
    const options = { plans, origin: sample.origin };
    const encoded = bounded(processor.source, () => {
      if (part !== "prompt") {
        const endToken = part === "whole" ? "close" : "none";
        return encodeConversation(processor, sample.messages, { ...options, endToken });
      }
      const prompt = encodePrompt(processor, sample.messages, options);
      return { ...prompt, labels: prompt.tokenIds.map(() => IGNORE_INDEX) };
    });
    if (encoded.tokenIds.length > maxLength) {
      const cut = context.tooLong === "truncate" ? truncated(encoded, maxLength) : undefined;
      if (cut !== undefined) return cut;
      const mediaTokenCount = plans.reduce((sum, { tokenCount }) => sum + tokenCount, 0);
      throw sampleTooLong(sample.origin, encoded.tokenIds.length, maxLength, mediaTokenCount);
    }
    checkRows(encoded, sample, processor);
    if (part === "whole") kept.set(sample, encoded);
    return encoded;
  };
}

/**
 * The first tokens of a sample, or undefined where that would cut an item or leave nothing to learn.
 */
function truncated({ tokenIds, labels, columns }: Encoded, maxLength: number): Encoded | undefined {
  const isWhole = columns.every((places) => (places.at(-1) ?? 0) < maxLength);
  const kept = labels.slice(0, maxLength);
  if (!isWhole || kept.every((label) => label === IGNORE_INDEX)) return undefined;
  return { tokenIds: tokenIds.slice(0, maxLength), labels: kept, columns };
}

function checkRows({ tokenIds }: Encoded, { origin }: Sample, { tokenizer, embeddingRows, source }: Processor): void {
  if (embeddingRows === undefined) return;
  const id = tokenIds.find((candidate) => candidate >= embeddingRows);
  if (id !== undefined)
    throw tokenWithoutRow(origin, { id, token: tokenizer.tokenOf(id), rows: embeddingRows, source });
}
