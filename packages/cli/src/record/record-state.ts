import { readMetrics } from "@thaw/core";
import { z } from "zod";
import { addStep, type RunRecord } from "./record.js";

const scoresSchema = z.record(z.string(), z.number()).readonly();
const resultSchema = z.object({
  step: z.number(),
  scores: scoresSchema,
  samples: z.number(),
  unscored: z.number(),
  predictions: z
    .array(
      z.object({
        index: z.number(),
        id: z.string(),
        reference: z.string(),
        prediction: z.string(),
        scores: scoresSchema,
      }),
    )
    .readonly(),
});
const savedSchema = z.object({
  captions: z.array(
    z.object({
      name: z.string(),
      before: resultSchema.optional(),
      after: resultSchema.optional(),
      baselines: z.object({ majority: scoresSchema.optional(), nearestNeighbour: scoresSchema.optional() }),
    }),
  ),
});

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
  for (const { name, before, after, baselines } of savedSchema.safeParse(saved).data?.captions ?? []) {
    const own = record.captions.find((one) => one.name === name);
    if (own === undefined) continue;
    if (before !== undefined) own.before = before;
    if (after !== undefined) own.after = after;
    own.baselines = baselines as typeof own.baselines;
  }
  if (runFolder === undefined) return;
  for (const line of await readMetrics(runFolder, step)) if (line.event === "step") addStep(record, line);
}
