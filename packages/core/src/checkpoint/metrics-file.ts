import { open, readFile, type FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import type { AfterStepContext, EvaluatedContext } from "../api/contexts.js";
import { runFolderUnwritable } from "../errors/files.js";
import type { RunFolder } from "./run-folder.js";

const FILE = "metrics.jsonl";

const count = z.number();
/** JSON has no NaN and no infinity: they are null in the file, and NaN when they are read. */
const measured = z
  .number()
  .nullable()
  .transform((value) => value ?? Number.NaN);
const byName = z.record(z.string(), measured).readonly();

const stepLineSchema = z.object({
  event: z.literal("step"),
  step: count,
  epoch: count,
  loss: measured,
  gradientNorm: measured,
  learningRates: byName,
  supervisedTokens: count,
  tokens: count,
  durationMs: count,
  metrics: byName.optional(),
});

const evaluatedLineSchema = z.object({
  event: z.literal("evaluated"),
  step: count,
  epoch: count,
  name: z.string(),
  metrics: byName,
});

const lineSchema = z.discriminatedUnion("event", [stepLineSchema, evaluatedLineSchema]);

/**
 * What `metrics.jsonl` says of one optimizer step. `step` counts the steps done, this one included; `metrics` is what
 * plugins measured, absent where they measured nothing.
 */
export type StepLine = Readonly<z.infer<typeof stepLineSchema>>;

/** What `metrics.jsonl` says of one evaluation after `step` steps. */
export type EvaluatedLine = Readonly<z.infer<typeof evaluatedLineSchema>>;

/** One line of `metrics.jsonl`, a JSON object. */
export type MetricsLine = StepLine | EvaluatedLine;

/** A step's line. `metrics`: what plugins measured. */
export function stepLine(context: AfterStepContext, metrics: Readonly<Record<string, number>> = {}): StepLine {
  const { step, epoch, loss, gradientNorm, learningRates, supervisedTokens, tokens, durationMs } = context;
  const numbers = { epoch, loss, gradientNorm, learningRates, supervisedTokens, tokens, durationMs };
  return { event: "step", step: step + 1, ...numbers, ...(Object.keys(metrics).length > 0 ? { metrics } : {}) };
}

/** An evaluation's line. */
export function evaluatedLine({ step, epoch, name, metrics }: EvaluatedContext): EvaluatedLine {
  return { event: "evaluated", step, epoch, name, metrics };
}

/**
 * The whole lines of a run folder's `metrics.jsonl` up to `stepsDone` steps; none where there is no such file. A line
 * that lacks a part is passed over.
 */
export async function readMetrics(runFolder: string, stepsDone = Infinity): Promise<readonly MetricsLine[]> {
  return (await textLines(join(runFolder, FILE))).flatMap((text) => parseLine(text, stepsDone) ?? []);
}

/** Appends to `metrics.jsonl`, whole lines only. */
export class MetricsFile {
  readonly #path: string;
  readonly #handle: FileHandle;
  #length: number;

  private constructor(path: string, handle: FileHandle, length: number) {
    this.#path = path;
    this.#handle = handle;
    this.#length = length;
  }

  /**
   * Opens the run's file. Lines after `stepsDone`, which a stopped run may have written after its last checkpoint, are
   * dropped: they are about to be written again. @throws THAW_CORE_RUN_FOLDER_UNWRITABLE
   */
  static async open(folder: RunFolder, stepsDone: number): Promise<MetricsFile> {
    const path = folder.file(FILE);
    const lines = await textLines(path);
    const kept = lines.filter((line) => parseLine(line, stepsDone) !== undefined).map((line) => `${line}\n`);
    const text = kept.join("");
    if (text !== lines.join("\n")) await folder.write(FILE, text);
    const handle = await open(path, "a").catch((cause: unknown) => {
      throw runFolderUnwritable(path, cause);
    });
    return new MetricsFile(path, handle, Buffer.byteLength(text));
  }

  /** @throws THAW_CORE_RUN_FOLDER_UNWRITABLE; half a line is taken back */
  async append(line: MetricsLine): Promise<void> {
    const bytes = Buffer.from(`${JSON.stringify(line)}\n`);
    try {
      await this.#handle.appendFile(bytes);
      this.#length += bytes.length;
    } catch (cause) {
      await this.#handle.truncate(this.#length).catch(() => undefined);
      throw runFolderUnwritable(this.#path, cause);
    }
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }
}

/** What stands between the file's line ends; of a whole file the last one is empty. */
async function textLines(path: string): Promise<readonly string[]> {
  return (await readFile(path, "utf8").catch(() => "")).split("\n");
}

/** A whole line of a step that is done; undefined for any other text. */
function parseLine(text: string, stepsDone: number): MetricsLine | undefined {
  try {
    const { data } = lineSchema.safeParse(JSON.parse(text));
    return data !== undefined && data.step <= stepsDone ? data : undefined;
  } catch {
    return undefined; // half a line, or the end of the file
  }
}
