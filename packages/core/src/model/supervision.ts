import { IGNORE_INDEX, type Batch } from "@thaw/contracts";

/** Where the loss is taken: the hidden state of token t predicts label t + 1. */
export interface Supervision {
  /** Rows of the flattened `[batch * tokens]`. */
  readonly rows: Int32Array;
  /** Token ids, as many. */
  readonly targets: Int32Array;
}

/**
 * Rows and targets of a batch's supervised tokens, in order. Labels are not shifted yet; a row's first label predicts
 * nothing.
 */
export function superviseTokens({
  labels,
  batchSize,
  tokenCount,
}: Pick<Batch, "labels" | "batchSize" | "tokenCount">): Supervision {
  const rows: number[] = [];
  const targets: number[] = [];
  for (let sample = 0; sample < batchSize; sample++) {
    for (let token = 0; token + 1 < tokenCount; token++) {
      const row = sample * tokenCount + token;
      const label = labels[row + 1]!;
      if (label === IGNORE_INDEX) continue;
      rows.push(row);
      targets.push(label);
    }
  }
  return { rows: Int32Array.from(rows), targets: Int32Array.from(targets) };
}

/** Tokens of a batch, padding excluded. */
export function countTokens({ attentionMask }: Pick<Batch, "attentionMask">): number {
  return attentionMask.reduce((sum, isReal) => sum + isReal, 0);
}
