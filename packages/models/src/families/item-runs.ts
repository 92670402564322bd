import type { RowRange } from "@thaw/autograd";
import type { LoadedBatch } from "@thaw/contracts";

/**
 * The stretches of placeholders of pictures that lie side by side, of each picture by itself: rows of the flattened
 * `[batch * tokens]`. One whose parts have other tokens between them has several.
 */
export function itemRuns({ media, tokenCount }: Pick<LoadedBatch, "media" | "tokenCount">): readonly RowRange[] {
  const pictures = media.filter(({ modality }) => modality !== "audio");
  return pictures.flatMap(({ sample, columns }) => {
    const runs: { first: number; end: number }[] = [];
    for (const column of columns) {
      const row = sample * tokenCount + column;
      const last = runs.at(-1);
      if (last?.end === row) last.end += 1;
      else runs.push({ first: row, end: row + 1 });
    }
    return runs;
  });
}
