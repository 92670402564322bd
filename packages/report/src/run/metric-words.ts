/** Metrics that count and do not judge. */
const COUNTS = new Set(["supervisedTokens", "samples", "unscored"]);

/** True for a metric that says how good the model is. */
export function isJudging(metric: string): boolean {
  return !COUNTS.has(metric);
}

/** True for metrics of which less is better: losses, errors, perplexities. */
export function isLowerBetter(metric: string): boolean {
  return /loss|error|perplexity/i.test(metric);
}

/** True if a value is as good as another one, or better. */
export function isAsGood(metric: string, value: number, than: number): boolean {
  return isLowerBetter(metric) ? value <= than : value >= than;
}

/** A metric by the name that people give them: `token F1`, `exact match`. */
export function metricText(name: string): string {
  const words = name.replaceAll(/([a-z])([A-Z])/g, "$1 $2").replaceAll("_", " ");
  return words.replaceAll(/\b[A-Z](?![A-Z0-9])/g, (letter) => letter.toLowerCase());
}
