import { createHash } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { makeFolders } from "@thaw/contracts";
import { runFolderUnwritable } from "../errors/files.js";
import { exists, type RunFolder } from "../checkpoint/run-folder.js";
import { LinesFile } from "./lines-file.js";
import { parseMetricsLine, type MetricsLine } from "./metrics-line.js";
import {
  LOG_FILE,
  METRICS_FILE,
  parseSampleLine,
  SAMPLES_FILE,
  SAMPLES_FOLDER,
  type LoggedEvent,
  type SampleLine,
} from "./run-log.js";
import type { EventImage, RunEvent, SampleEvent } from "./run-event.js";

/** Where a sample's picture lies in the run folder: it is named by what it holds. */
export function picturePath({ type, bytes }: EventImage): string {
  const hash = createHash("sha256").update(bytes).digest("hex").slice(0, 24);
  return `${SAMPLES_FOLDER}/${hash}.${type.slice("image/".length)}`;
}

/** The stream of a run in its folder: `metrics.jsonl`, `events.jsonl`, `samples.jsonl` and its pictures. */
export class RunLogFiles {
  readonly #folder: RunFolder;
  readonly #environment: Readonly<Record<string, string>>;
  readonly #metrics: LinesFile;
  readonly #log: LinesFile;
  /** Opened where the file is there, or with the first sample. */
  #samples: LinesFile | undefined;
  readonly #pictures = new Set<string>();

  private constructor(
    folder: RunFolder,
    environment: Readonly<Record<string, string>>,
    {
      metrics,
      log,
      samples,
    }: { readonly metrics: LinesFile; readonly log: LinesFile; readonly samples: LinesFile | undefined },
  ) {
    this.#folder = folder;
    this.#environment = environment;
    this.#metrics = metrics;
    this.#log = log;
    this.#samples = samples;
  }

  /**
   * Opens the files of a run after `stepsDone` steps. Measurements and samples after that, which a stopped run may have
   * written after its last checkpoint, are dropped: they are about to be made again.
   * @throws THAW_CORE_RUN_FOLDER_UNWRITABLE
   */
  static async open(
    folder: RunFolder,
    stepsDone: number,
    environment: Readonly<Record<string, string>>,
  ): Promise<RunLogFiles> {
    const opened: LinesFile[] = [];
    const file = async (name: string, isKept: (line: string) => boolean): Promise<LinesFile> => {
      const lines = await LinesFile.open(folder, name, isKept);
      opened.push(lines);
      return lines;
    };
    try {
      return new RunLogFiles(folder, environment, {
        metrics: await file(METRICS_FILE, (line) => parseMetricsLine(line, stepsDone) !== undefined),
        log: await file(LOG_FILE, (line) => line.endsWith("}")),
        samples: (await exists(folder.file(SAMPLES_FILE)))
          ? await file(SAMPLES_FILE, (line) => parseSampleLine(line, stepsDone) !== undefined)
          : undefined,
      });
    } catch (error) {
      await Promise.all(opened.map((lines) => lines.close()));
      throw error;
    }
  }

  /** @throws THAW_CORE_RUN_FOLDER_UNWRITABLE */
  async record(event: RunEvent): Promise<void> {
    if (event.event === "step" || event.event === "evaluated" || event.event === "baseline")
      return this.measured(event);
    if (event.event === "sample") return this.#sample(event);
    await this.#log.append({ ...this.#logged(event), time: new Date().toISOString() });
  }

  /** @throws THAW_CORE_RUN_FOLDER_UNWRITABLE */
  async measured(line: MetricsLine): Promise<void> {
    await this.#metrics.append(line);
  }

  async close(): Promise<void> {
    await Promise.all([this.#metrics.close(), this.#log.close(), this.#samples?.close()]);
  }

  #logged(event: Exclude<RunEvent, MetricsLine | SampleEvent>): LoggedEvent {
    if (event.event === "started") return { ...event, environment: this.#environment };
    if (event.event !== "done") return event;
    const { stopReason, isInterrupted } = event.summary;
    return { event: "done", step: event.step, stopReason, isInterrupted };
  }

  async #sample({ images, ...sample }: SampleEvent): Promise<void> {
    const paths: string[] = [];
    for (const image of images) {
      const path = picturePath(image);
      const { bytes } = image;
      paths.push(path);
      if (this.#pictures.has(path)) continue;
      try {
        await makeFolders(this.#folder.file(SAMPLES_FOLDER));
        await writeFile(this.#folder.file(path), bytes);
      } catch (cause) {
        throw runFolderUnwritable(this.#folder.file(path), cause);
      }
      this.#pictures.add(path);
    }
    this.#samples ??= await LinesFile.open(this.#folder, SAMPLES_FILE, () => false);
    await this.#samples.append({ ...sample, images: paths } satisfies SampleLine);
  }
}
