import type { LoadedBatch, Model, Scope } from "@thaw/contracts";
import type { BatchLoss } from "../api/session.js";
import { superviseTokens } from "./supervision.js";

/** Cross entropy of a batch, without label smoothing. */
export async function batchLoss(model: Model, batch: LoadedBatch, scope: Scope): Promise<BatchLoss> {
  const { rows, targets } = superviseTokens(batch);
  if (rows.length === 0) return { lossSum: 0, supervisedTokenCount: 0 };
  const loss = model.forward(batch, scope).crossEntropy(rows, targets);
  return { lossSum: (await loss.tensor.data())[0]!, supervisedTokenCount: rows.length };
}

/**
 * Cross entropy of each row of a batch, of one forward pass: all of its rows are computed, whatever reads them. Of a
 * row without a supervised token both are 0.
 */
export async function rowLosses(model: Model, batch: LoadedBatch, scope: Scope): Promise<readonly BatchLoss[]> {
  const { rows, targets } = superviseTokens(batch);
  const output = model.forward(batch, scope);
  // Asked for first, so that every part reads the same states.
  if (rows.length > 0) void output.hidden;
  const losses: BatchLoss[] = [];
  let from = 0;
  for (let sample = 1; sample <= batch.batchSize; sample += 1) {
    let end = from;
    while (end < rows.length && rows[end]! < sample * batch.tokenCount) end += 1;
    const own = end === from ? undefined : output.crossEntropy(rows.slice(from, end), targets.slice(from, end));
    losses.push({ lossSum: (await own?.tensor.data())?.[0] ?? 0, supervisedTokenCount: end - from });
    from = end;
  }
  return losses;
}
