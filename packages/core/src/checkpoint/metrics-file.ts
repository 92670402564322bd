import { open, readFile, type FileHandle } from "node:fs/promises";
import { runFolderUnwritable } from "../errors/files.js";
import type { RunFolder } from "./run-folder.js";

/** One line of `metrics.jsonl`: a JSON object with `event` and `step` (steps done). */
export interface MetricsLine {
  readonly event: "step" | "evaluated";
  readonly step: number;
  readonly [name: string]: unknown;
}

const FILE = "metrics.jsonl";

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
    const text = await readFile(path, "utf8").catch(() => "");
    const kept = text
      .split("\n")
      .filter((line) => isKept(line, stepsDone))
      .map((line) => `${line}\n`)
      .join("");
    if (kept !== text) await folder.write(FILE, kept);
    const handle = await open(path, "a").catch((cause: unknown) => {
      throw runFolderUnwritable(path, cause);
    });
    return new MetricsFile(path, handle, Buffer.byteLength(kept));
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

function isKept(line: string, stepsDone: number): boolean {
  if (line === "") return false;
  try {
    return (JSON.parse(line) as MetricsLine).step <= stepsDone;
  } catch {
    return false;
  }
}
