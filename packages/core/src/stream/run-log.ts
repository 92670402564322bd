import { z } from "zod";
import type { CheckpointEvent, FailedEvent, StartedEvent, WarningEvent } from "./run-event.js";
import { readLines } from "./lines-file.js";
import { parseMetricsLine, type MetricsLine } from "./metrics-line.js";

/** Measurements of a run: lines of steps that are made again are dropped. */
export const METRICS_FILE = "metrics.jsonl";
/** What happened in a run and when, also in parts of it that were made again. */
export const LOG_FILE = "events.jsonl";
/** What the model made of samples; pictures lie in the folder `samples`. */
export const SAMPLES_FILE = "samples.jsonl";
export const SAMPLES_FOLDER = "samples";

const time = z.iso.datetime();
const step = z.number();
const text = z.string();
const logSchema = z.discriminatedUnion("event", [
  z.object({
    event: z.literal("started"),
    time,
    step,
    totalSteps: z.number(),
    planHash: text,
    backend: text,
    resumedFrom: text.optional(),
    environment: z.record(text, text),
  }),
  z.object({ event: z.literal("checkpoint"), time, step, folder: text, durationMs: z.number() }),
  z.object({ event: z.literal("warning"), time, step, text }),
  z.object({ event: z.literal("done"), time, step, stopReason: text, isInterrupted: z.boolean() }),
  z.object({
    event: z.literal("failed"),
    time,
    step,
    code: text.optional(),
    message: text,
    saved: z.object({ step, folder: text, belongsTo: text.optional() }).optional(),
  }),
]);

/** One line of `events.jsonl`. `time`: ISO 8601, UTC. */
export type LogLine = Readonly<z.infer<typeof logSchema>>;

/** What `events.jsonl` says of an event; the summary of a run that is done is in `summary.json`. */
export type LoggedEvent =
  | (StartedEvent & { readonly environment: Readonly<Record<string, string>> })
  | CheckpointEvent
  | WarningEvent
  | { readonly event: "done"; readonly step: number; readonly stopReason: string; readonly isInterrupted: boolean }
  | FailedEvent;

const sampleSchema = z.object({
  event: z.literal("sample"),
  step,
  name: text,
  index: z.number(),
  id: text,
  texts: z.record(text, text).readonly(),
  numbers: z.record(text, z.number()).readonly(),
  images: z.array(text).readonly(),
});

/** One line of `samples.jsonl`. `images`: paths of pictures in the run folder. */
export type SampleLine = Readonly<z.infer<typeof sampleSchema>>;

/** A line of `samples.jsonl` of at most `stepsDone` steps; undefined for any other text. */
export function parseSampleLine(line: string, stepsDone: number): SampleLine | undefined {
  const sample = parsed(line, sampleSchema);
  return sample !== undefined && sample.step <= stepsDone ? sample : undefined;
}

/**
 * The whole lines of a run folder's `metrics.jsonl` up to `stepsDone` steps; none where there is no such file. A line
 * that lacks a part is passed over.
 */
export function readMetrics(runFolder: string, stepsDone = Infinity): Promise<readonly MetricsLine[]> {
  return readLines(runFolder, METRICS_FILE, (line) => parseMetricsLine(line, stepsDone));
}

/** The whole lines of a run folder's `events.jsonl`. */
export function readLog(runFolder: string): Promise<readonly LogLine[]> {
  return readLines(runFolder, LOG_FILE, (line) => parsed(line, logSchema));
}

/** The whole lines of a run folder's `samples.jsonl`. */
export function readSamples(runFolder: string): Promise<readonly SampleLine[]> {
  return readLines(runFolder, SAMPLES_FILE, (line) => parseSampleLine(line, Infinity));
}

function parsed<T>(line: string, schema: z.ZodType<T>): T | undefined {
  try {
    return schema.safeParse(JSON.parse(line)).data;
  } catch {
    return undefined; // half a line, or the end of the file
  }
}
