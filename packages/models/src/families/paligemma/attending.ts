import { IGNORE_INDEX } from "@thaw/contracts";
import { type Attending, countTokens } from "../../passes/attending.js";

/**
 * What PaliGemma's rows see: all of a sample's prefix, which is what comes before its first supervised token, sees
 * itself both ways; a sample without one is all prefix. Positions count from 1. Source: transformers 5.24,
 * `modeling_paligemma.py`; Beyer et al., arXiv:2407.07726, figure 2.
 */
export const PREFIX_ATTENDING: Attending = {
  positions(batch) {
    const { axes, next } = countTokens(batch);
    return { axes: axes.map((axis) => axis.map((at) => at + 1)), next: next.map((at) => at + 1) };
  },
  seesBothWays: ({ attentionMask, labels, batchSize, tokenCount }) =>
    Array.from({ length: batchSize }, (_, sample) => {
      const row = sample * tokenCount;
      const mask = attentionMask.subarray(row, row + tokenCount);
      const answer = labels.subarray(row, row + tokenCount).findIndex((label) => label !== IGNORE_INDEX);
      return {
        first: row + Math.max(0, mask.indexOf(1)),
        end: row + (answer === -1 ? mask.lastIndexOf(1) + 1 : answer),
      };
    }),
};
