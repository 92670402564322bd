import type { GenerationOptions } from "@thaw/contracts";

/** How the command line says that tokens are chosen. */
export interface DecodingFlags {
  /** With one of the next four tokens are drawn, without them the likeliest are taken. */
  readonly temperature?: number;
  readonly topK?: number;
  readonly topP?: number;
  readonly seed?: number;
  readonly repetitionPenalty?: number;
}

/** What the flags mean for an answer; each `turn` of a chat draws anew, and the same in every run. */
export function decodingOf(
  { temperature, topK, topP, seed, repetitionPenalty }: DecodingFlags,
  turn = 0,
): Pick<GenerationOptions, "sampling" | "repetitionPenalty"> {
  const isDrawn = [temperature, topK, topP, seed].some((flag) => flag !== undefined);
  return {
    ...(repetitionPenalty === undefined ? {} : { repetitionPenalty }),
    ...(isDrawn ? { sampling: { temperature, topK, topP, seed: (seed ?? 0) + turn } } : {}),
  };
}
