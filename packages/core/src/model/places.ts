import type { Batch, MediaItem, MediaTokens } from "@thaw/contracts";
import { itemMisplaced, placeholderWithoutItem } from "../errors/passes.js";

type PlacedBatch = Pick<Batch, "tokenIds" | "attentionMask" | "batchSize" | "tokenCount" | "media" | "samples">;

/**
 * Sees that items and placeholders fit: every item has as many columns as it has rows of features, each column holds
 * its placeholder and no other item's, and no placeholder is left over, which would be read as a word. Looks at the
 * host's numbers alone, once each.
 * @throws THAW_CORE_ITEM_MISPLACED, THAW_CORE_PLACEHOLDER_WITHOUT_ITEM
 */
export function checkPlaces(batch: PlacedBatch, mediaTokens: readonly MediaTokens[]): void {
  if (mediaTokens.length === 0) return;
  const { tokenIds, attentionMask, tokenCount, media, samples } = batch;
  const taken = new Uint8Array(tokenIds.length);
  for (const item of media) {
    const tokens = mediaTokens.find(({ modality }) => modality === item.modality);
    if (tokens !== undefined) takePlaces(batch, item, tokens, taken);
  }
  const byId = new Map(mediaTokens.map(({ tokenId, modality }) => [tokenId, modality]));
  tokenIds.forEach((id, at) => {
    const modality = taken[at] === 0 && attentionMask[at] !== 0 ? byId.get(id) : undefined;
    if (modality === undefined) return;
    const row = Math.floor(at / tokenCount);
    throw placeholderWithoutItem({ id, modality, column: at % tokenCount, row, sample: samples[row]?.id });
  });
}

function takePlaces(batch: PlacedBatch, item: MediaItem, tokens: MediaTokens, taken: Uint8Array): void {
  const { tokenIds, batchSize, tokenCount, samples } = batch;
  const { sample, columns } = item;
  const refuse = (problem: string): Error => itemMisplaced(item, samples[sample]?.id, problem);
  if (sample < 0 || sample >= batchSize) throw refuse(`belongs to row ${sample} of a batch of ${batchSize}`);
  const rows = tokens.rows(item);
  if (columns.length !== rows) throw refuse(`has ${columns.length} columns, but ${rows} rows of features`);
  columns.forEach((column, index) => {
    if (column < 0 || column >= tokenCount) throw refuse(`names column ${column} of ${tokenCount}`);
    if (index > 0 && column <= columns[index - 1]!) throw refuse(`names column ${column} out of order`);
    const at = sample * tokenCount + column;
    const id = tokenIds[at]!;
    if (id !== tokens.tokenId && tokens.otherIds?.includes(id) !== true)
      throw refuse(`names column ${column}, which holds token ${id} and not its placeholder ${tokens.tokenId}`);
    if (taken[at] !== 0) throw refuse(`names column ${column}, which another item names too`);
    taken[at] = 1;
  });
}
