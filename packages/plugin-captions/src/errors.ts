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

/** What a metric says of a sample, with the sample's place. */
export function inSample(cause: ThawError, origin: string): ThawError {
  return new ThawError(cause.code, `${cause.message} In ${origin}.`, { details: { ...cause.details, origin }, cause });
}

/** A metric of choices on a sample without any. */
export function noChoices(metric: string, origin: string): ThawError {
  return new ThawError(
    "THAW_CAPTIONS_NO_CHOICES",
    `${metric} judges choices, and a sample has none. In ${origin}. Give each sample its "choices" as a list and the ` +
      "right one as its answer (its text, its letter, or its number from 0), or measure exact_match.",
    { details: { metric, origin } },
  );
}

/** An evaluation without a sample to score. */
export function conceptsEmpty(origin: string, filter: string): ThawError {
  return new ThawError(
    "THAW_CAPTIONS_CONCEPTS_EMPTY",
    `No sample is left to score with the concepts "${filter}". In ${origin}. Choose other concepts; "all" scores ` +
      "every sample.",
    { details: { origin, filter } },
  );
}

/** Metrics that a program names and that cannot be made. */
export function metricsInvalid(problems: readonly string[]): ThawError {
  return new ThawError(
    "THAW_CAPTIONS_METRICS_INVALID",
    `The metrics cannot be made: ${problems.join("; ")}. In what chosenMetrics was given. Name metrics that are ` +
      "provided, each with its own options.",
    { details: { problems } },
  );
}
