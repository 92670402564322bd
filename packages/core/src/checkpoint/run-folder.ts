import { mkdir, rm, stat } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { withoutSecrets, makeFolders } from "@thaw/contracts";
import { writeAtomically } from "@thaw/safetensors";
import { runFolderUnwritable } from "../errors/files.js";

/** The folder of one run. Files are written beside their place and renamed, so that none is ever there half. */
export class RunFolder {
  readonly path: string;
  /** True if this trainer made the folder, false if it goes on in one that was there. */
  readonly isNew: boolean;

  constructor(path: string, isNew: boolean) {
    this.path = path;
    this.isNew = isNew;
  }

  /**
   * Makes `<output>/<name>-<YYYYMMDD-HHMMSS>`, with `-2`, `-3` ... where that exists: nothing is overwritten.
   * @throws THAW_CORE_RUN_FOLDER_UNWRITABLE
   */
  static async create(output: string, name: string, now: Date): Promise<RunFolder> {
    const base = resolve(output, `${safeName(name)}-${timestamp(now)}`);
    try {
      await makeFolders(resolve(output));
      for (let count = 1; ; count++) {
        const path = count === 1 ? base : `${base}-${count}`;
        if (await makeFolder(path)) return new RunFolder(path, true);
      }
    } catch (cause) {
      throw runFolderUnwritable(resolve(output), cause);
    }
  }

  /** Makes this very folder. @throws THAW_CORE_RUN_FOLDER_UNWRITABLE, also where it exists */
  static async createAt(path: string): Promise<RunFolder> {
    const folder = resolve(path);
    try {
      await makeFolders(dirname(folder));
      if (!(await makeFolder(folder))) throw new Error("something is there already");
    } catch (cause) {
      throw runFolderUnwritable(folder, cause);
    }
    return new RunFolder(folder, true);
  }

  /** The path of a file in the folder. */
  file(name: string): string {
    return join(this.path, name);
  }

  /** @throws THAW_CORE_RUN_FOLDER_UNWRITABLE; the file is then as it was before */
  async writeJson(name: string, value: unknown): Promise<void> {
    await this.write(name, jsonText(value));
  }

  /** @throws THAW_CORE_RUN_FOLDER_UNWRITABLE; the file is then as it was before */
  async write(name: string, text: string): Promise<void> {
    await writeAtomically(this.file(name), async (handle) => {
      await handle.writeFile(text);
    }).catch((cause: unknown) => {
      throw runFolderUnwritable(this.file(name), cause);
    });
  }

  /** Removes the folder of a run that failed before it did anything. */
  async discard(): Promise<void> {
    if (this.isNew) await rm(this.path, { recursive: true, force: true });
  }
}

/** JSON as the run folder's files hold it, without the values of secrets. */
export function jsonText(value: unknown): string {
  return withoutSecrets(`${JSON.stringify(value, null, 2)}\n`);
}

/** True if something lies at the path. */
export async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

async function makeFolder(path: string): Promise<boolean> {
  try {
    await mkdir(path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

/** Local time, sortable. */
function timestamp(now: Date): string {
  const two = (value: number): string => String(value).padStart(2, "0");
  const day = `${now.getFullYear()}${two(now.getMonth() + 1)}${two(now.getDate())}`;
  return `${day}-${two(now.getHours())}${two(now.getMinutes())}${two(now.getSeconds())}`;
}

function safeName(name: string): string {
  return name.replaceAll(/[^\p{L}\p{N}._-]+/gu, "-").replaceAll(/^[.-]+|[.-]+$/g, "") || "run";
}
