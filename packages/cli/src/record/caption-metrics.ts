/** What an evaluation of captions measures, and which values are better. */
export const CAPTION_METRICS = {
  tokenF1: "higher",
  exactMatch: "higher",
  samples: "higher",
  unscored: "lower",
} as const;

/** The name of the evaluation of a set's captions. */
export function captionsName(set: string): string {
  return `captions/${set}`;
}
