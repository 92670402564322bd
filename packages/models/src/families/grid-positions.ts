import type { LoadedBatch } from "@thaw/contracts";
import type { Attending, Positions } from "../passes/attending.js";
import { gridOf } from "../towers/grids.js";

/**
 * Rows of several axes (M-RoPE): text counts up on all three; the tokens of an item stand at its time, row and column,
 * counted from where the text had come to, and the text behind it goes on after the longer side. `merge`: patches a
 * side of a token. Source: transformers 5.24, `get_rope_index` of `modeling_qwen2_vl.py` and `modeling_glm4v.py`.
 */
export function gridAttending(merge: number): Attending {
  return { positions: (batch) => gridPositions(batch, merge) };
}

function gridPositions(
  {
    media,
    batchSize,
    tokenCount,
    attentionMask,
  }: Pick<LoadedBatch, "media" | "batchSize" | "tokenCount" | "attentionMask">,
  merge: number,
): Positions {
  const [times, downs, acrosses] = [0, 1, 2].map(() => new Int32Array(batchSize * tokenCount)) as [
    Int32Array,
    Int32Array,
    Int32Array,
  ];
  const next = new Int32Array(batchSize);
  const itemAt = new Map(media.map((item) => [item.sample * tokenCount + item.columns[0]!, item]));
  for (let sample = 0; sample < batchSize; sample++) {
    const start = sample * tokenCount;
    let position = 0;
    for (let row = start; row < start + tokenCount; row++) {
      if (attentionMask[row] === 0) continue;
      const item = itemAt.get(row);
      if (item === undefined) {
        times[row] = downs[row] = acrosses[row] = position;
        position += 1;
        continue;
      }
      const grid = gridOf(item);
      const [rows, columns] = [grid.rows / merge, grid.columns / merge];
      for (const [index, column] of item.columns.entries()) {
        times[start + column] = position + Math.floor(index / (rows * columns));
        downs[start + column] = position + (Math.floor(index / columns) % rows);
        acrosses[start + column] = position + (index % columns);
      }
      row = start + item.columns.at(-1)!;
      position += Math.max(rows, columns);
    }
    next[sample] = position;
  }
  return { axes: [times, downs, acrosses], next };
}
