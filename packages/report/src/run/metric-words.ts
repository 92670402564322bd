import type { RunData } from "./run-data.js";

/** Metrics that count and do not judge. */
const COUNTS = new Set(["supervisedTokens", "samples", "unscored"]);

/** True for a metric that says how good the model is. */
export function isJudging(metric: string): boolean {
  return !COUNTS.has(metric);
}

/**
 * True for metrics of which less is better, as their evaluation said; where it did not, losses, errors and perplexities
 * by their names.
 */
export function isLowerBetter({ metrics }: Pick<RunData, "metrics">, name: string, metric: string): boolean {
  const last = metrics.findLast((line) => line.event === "evaluated" && line.name === name && line.lower !== undefined);
  if (last?.event === "evaluated" && last.lower !== undefined) return last.lower.includes(metric);
  return /loss|error|perplexity/i.test(metric);
}

/** A metric by the name that people give them: `token F1`, `exact match`. */
export function metricText(name: string): string {
  const words = name.replaceAll(/([a-z])([A-Z])/g, "$1 $2").replaceAll("_", " ");
  return words.replaceAll(/\b[A-Z](?![A-Z0-9])/g, (letter) => letter.toLowerCase());
}
