import { open, readFile, type FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { withoutSecrets } from "@thaw/contracts";
import type { RunFolder } from "../checkpoint/run-folder.js";
import { runFolderUnwritable } from "../errors/files.js";

/** A file of a run folder to which JSON objects are appended, a line each, whole lines only. */
export class LinesFile {
  readonly #path: string;
  readonly #handle: FileHandle;
  #length: number;

  private constructor(path: string, handle: FileHandle, length: number) {
    this.#path = path;
    this.#handle = handle;
    this.#length = length;
  }

  /** Opens the file; lines that `isKept` refuses are dropped. @throws THAW_CORE_RUN_FOLDER_UNWRITABLE */
  static async open(folder: RunFolder, name: string, isKept: (line: string) => boolean): Promise<LinesFile> {
    const path = folder.file(name);
    const lines = await textLines(path);
    const kept = lines.filter(isKept).map((line) => `${line}\n`);
    const text = kept.join("");
    if (text !== lines.join("\n")) await folder.write(name, text);
    const handle = await open(path, "a").catch((cause: unknown) => {
      throw runFolderUnwritable(path, cause);
    });
    return new LinesFile(path, handle, Buffer.byteLength(text));
  }

  /** Values of secrets are left out. @throws THAW_CORE_RUN_FOLDER_UNWRITABLE; half a line is taken back */
  async append(line: object): Promise<void> {
    const bytes = Buffer.from(`${withoutSecrets(JSON.stringify(line))}\n`);
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

/** What stands between the file's line ends; of a whole file the last one is empty. None where there is no file. */
async function textLines(path: string): Promise<readonly string[]> {
  return (await readFile(path, "utf8").catch(() => "")).split("\n");
}

/** The lines of a run folder's file that a parser knows, in order; none where there is no such file. */
export async function readLines<T>(
  runFolder: string,
  name: string,
  parse: (line: string) => T | undefined,
): Promise<readonly T[]> {
  return (await textLines(join(runFolder, name))).flatMap((line) => parse(line) ?? []);
}
