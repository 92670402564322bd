import type { RowRange } from "@thaw/autograd";
import type { LoadedBatch } from "@thaw/contracts";

/** Where tokens stand. */
export interface Positions {
  /**
   * By axis, the position of each row of the flattened `[batch * tokens]`; those of padding mean nothing. One axis, or
   * as many as rotary positions follow (M-RoPE: time, row, column).
   */
  readonly axes: readonly Int32Array[];
  /** By sample, the position of the first token that is generated, on all axes. */
  readonly next: Int32Array;
}

/** What a family says of how its rows attend. A row sees itself and what comes before it in its sample; so far. */
export interface Attending {
  /** Default: tokens are counted from a sample's first one. */
  positions?(batch: LoadedBatch): Positions;
  /**
   * Rows of the flattened `[batch * tokens]` that see one another both ways, each range within a sample: the tokens of
   * an image, a prefix. Ranges share no row. Default: none.
   */
  seesBothWays?(batch: LoadedBatch): readonly RowRange[];
}

/** Positions and sight of one batch. */
export interface Sight {
  readonly positions: Positions;
  readonly bothWays: readonly RowRange[];
}

/** Asks a family about a batch. */
export function sightOf(attending: Attending | undefined, batch: LoadedBatch): Sight {
  return {
    positions: attending?.positions?.(batch) ?? countTokens(batch),
    bothWays: attending?.seesBothWays?.(batch) ?? [],
  };
}

/** Columns, counted from a sample's first token. */
export function countTokens({
  attentionMask,
  batchSize,
  tokenCount,
}: Pick<LoadedBatch, "attentionMask" | "batchSize" | "tokenCount">): Positions {
  const axis = new Int32Array(batchSize * tokenCount);
  const next = new Int32Array(batchSize);
  for (let sample = 0; sample < batchSize; sample++) {
    const mask = attentionMask.subarray(sample * tokenCount, (sample + 1) * tokenCount);
    const first = Math.max(0, mask.indexOf(1));
    for (let column = first; column < tokenCount; column++) axis[sample * tokenCount + column] = column - first;
    next[sample] = mask.lastIndexOf(1) + 1 - first;
  }
  return { axes: [axis], next };
}
