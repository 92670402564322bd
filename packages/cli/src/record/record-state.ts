import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { CaptionRecord, RunRecord } from "./record.js";

/** What a checkpoint keeps of a record: captions from before training. Steps and losses are in `metrics.jsonl`. */
export function savedRecord(record: RunRecord): unknown {
  return { captions: record.captions };
}

/**
 * Brings a record back to where a checkpoint was made at `step`. A run of older Thaw, or one without a folder, leaves
 * it empty.
 */
export async function restoreRecord(
  record: RunRecord,
  saved: unknown,
  runFolder: string | undefined,
  step: number,
): Promise<void> {
  const { captions = [] } = (saved ?? {}) as { readonly captions?: readonly CaptionRecord[] };
  for (const earlier of captions) {
    const own = record.captions.find(({ name }) => name === earlier.name);
    if (own !== undefined) Object.assign(own, earlier);
  }
  if (runFolder === undefined) return;
  const text = await readFile(join(runFolder, "metrics.jsonl"), "utf8").catch(() => "");
  for (const line of text.split("\n")) if (line !== "") restoreLine(record, JSON.parse(line) as MetricsLine, step);
}

interface MetricsLine {
  readonly event: string;
  readonly step: number;
  readonly loss?: number;
  readonly gradientNorm?: number;
  readonly learningRates?: Readonly<Record<string, number>>;
  readonly tokens?: number;
  readonly durationMs?: number;
  readonly name?: string;
  readonly metrics?: Readonly<Record<string, number>>;
}

function restoreLine(record: RunRecord, line: MetricsLine, step: number): void {
  if (line.step > step) return;
  if (line.event === "step") {
    const { loss = Number.NaN, gradientNorm = Number.NaN, learningRates = {}, tokens = 0, durationMs = 0 } = line;
    record.steps.push({
      step: line.step,
      loss,
      gradientNorm,
      learningRate: Math.max(0, ...Object.values(learningRates)),
      tokensPerSecond: (1000 * tokens) / Math.max(1e-6, durationMs),
      durationMs,
      peakBytes: 0,
    });
  }
  const loss = line.metrics?.["loss"];
  if (line.event === "evaluated" && line.name !== undefined && loss !== undefined)
    (record.losses[line.name] ??= []).push({ step: line.step, value: loss });
}
