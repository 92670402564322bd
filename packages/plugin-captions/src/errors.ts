import { shown, ThawError } from "@thaw/core";

/** A metric that compares people, on a sample with one answer. */
export function oneAnswer(metric: string, answer: string): ThawError {
  return new ThawError(
    "THAW_CAPTIONS_ONE_ANSWER",
    `${metric} compares with the answers of several people, and a sample (answered ${shown(answer)}) has one. Give ` +
      'each sample its "answers" as a list, or measure exact_match or anls.',
    { details: { metric, answer } },
  );
}
