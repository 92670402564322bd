import { readMetrics } from "@thaw/core";
import { addStep, type CaptionRecord, type RunRecord } from "./record.js";

/** What a checkpoint keeps of a record: captions from before training. Steps are in `metrics.jsonl`. */
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
  for (const line of await readMetrics(runFolder, step)) if (line.event === "step") addStep(record, line);
}
