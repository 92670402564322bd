import { randomUUID } from "node:crypto";
import { link, lstat, readdir, readFile, realpath, rename, rm, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join, relative, isAbsolute } from "node:path";
import { runFolderLinked, runFolderUnwritable, runLocked } from "../errors/files.js";
import { CHECKPOINTS_FOLDER } from "./write-checkpoint.js";

/** Lies in a run folder while a process writes there. */
export const LOCK_FILE = "run.lock";

/** Who writes in a run folder. */
export interface LockOwner {
  readonly pid: number;
  readonly host: string;
  /** What tells two processes of one number apart, where the system says it (Linux): ticks from boot to its start. */
  readonly start?: string;
}

const NO_LINKS: readonly string[] = ["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS"];

/** Folders that this process writes in. */
const held = new Set<string>();

/**
 * Takes a run folder for this process: nobody else writes there until it is released. The lock of a process that is
 * gone is taken over, and what it left half written is removed. Entries of the folder that are links out of it are
 * refused: what is written in a run folder stays there.
 * @throws THAW_CORE_RUN_LOCKED, THAW_CORE_RUN_FOLDER_LINKED, THAW_CORE_RUN_FOLDER_UNWRITABLE
 */
export async function lockRun(folder: string): Promise<() => Promise<void>> {
  const path = await realpath(folder).catch((cause: unknown) => {
    throw runFolderUnwritable(folder, cause);
  });
  await refuseLinks(path);
  const file = join(path, LOCK_FILE);
  const own: LockOwner = { pid: process.pid, host: hostname(), ...(await startOf(process.pid)) };
  for (let count = 0; !(await create(file, own)); count++) {
    const text = await readFile(file, "utf8").catch(() => "");
    const owner = parse(text);
    if (held.has(path) || count > 9 || (owner !== undefined && (await isAlive(owner)))) throw runLocked(path, owner);
    await takeAway(file, text);
  }
  held.add(path);
  await removeLeftovers(path);
  return async () => {
    held.delete(path);
    await rm(file, { force: true });
  };
}

/** True while a process trains in a run folder: one that is alive, or of which this machine can not know. */
export async function isRunHeld(folder: string): Promise<boolean> {
  const path = await realpath(folder).catch(() => folder);
  const owner = parse(await readFile(join(path, LOCK_FILE), "utf8").catch(() => ""));
  return held.has(path) || (owner !== undefined && (await isAlive(owner)));
}

/** Makes the lock as a whole, with its owner in it; false where there is one. */
async function create(file: string, owner: LockOwner): Promise<boolean> {
  const draft = `${file}.${randomUUID()}.tmp`;
  try {
    await writeFile(draft, `${JSON.stringify(owner)}\n`, { flag: "wx" });
    await link(draft, file).catch(async (cause: unknown) => {
      // File systems without hard links make the file first and fill it afterwards
      if (!NO_LINKS.includes((cause as NodeJS.ErrnoException).code ?? "")) throw cause;
      await writeFile(file, `${JSON.stringify(owner)}\n`, { flag: "wx" });
    });
    return true;
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw runFolderUnwritable(file, cause);
  } finally {
    await rm(draft, { force: true });
  }
}

/** Removes a dead process's lock; where another has taken the folder meanwhile, its lock is put back. */
async function takeAway(file: string, text: string): Promise<void> {
  const taken = `${file}.${randomUUID()}.tmp`;
  try {
    await rename(file, taken);
    if ((await readFile(taken, "utf8")) !== text) await link(taken, file);
  } catch (cause) {
    if (!["ENOENT", "EEXIST"].includes((cause as NodeJS.ErrnoException).code ?? ""))
      throw runFolderUnwritable(file, cause);
  } finally {
    await rm(taken, { force: true });
  }
}

function parse(text: string): LockOwner | undefined {
  try {
    const { pid, host, start } = JSON.parse(text) as Partial<Record<keyof LockOwner, unknown>>;
    if (!Number.isSafeInteger(pid) || typeof host !== "string") return undefined;
    return { pid: pid as number, host, ...(typeof start === "string" ? { start } : {}) };
  } catch {
    return undefined;
  }
}

/** Of another machine nothing is known: its process counts as alive. */
async function isAlive({ pid, host, start }: LockOwner): Promise<boolean> {
  if (host !== hostname()) return true;
  try {
    process.kill(pid, 0);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ESRCH") return false;
  }
  const now = (await startOf(pid)).start;
  return start === undefined || now === undefined ? pid !== process.pid : now === start;
}

/** Field 22 of `/proc/<pid>/stat` (proc(5)) with the id of the boot: the name before it may hold blanks. */
async function startOf(pid: number): Promise<{ readonly start?: string }> {
  try {
    const [stat, boot] = await Promise.all([
      readFile(`/proc/${pid}/stat`, "utf8"),
      readFile("/proc/sys/kernel/random/boot_id", "utf8"),
    ]);
    const ticks = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
    return ticks === undefined ? {} : { start: `${ticks}-${boot.trim()}` };
  } catch {
    return {};
  }
}

async function refuseLinks(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    const path = join(folder, name);
    if (!(await lstat(path)).isSymbolicLink()) continue;
    const target = await realpath(path).catch(() => undefined);
    const way = target === undefined ? ".." : relative(folder, target);
    if (way.startsWith("..") || isAbsolute(way)) throw runFolderLinked(path, target);
  }
}

/** What a process that was killed was writing: checkpoints, `final`, single files. Their names end in `.tmp`. */
async function removeLeftovers(folder: string): Promise<void> {
  for (const place of [folder, join(folder, CHECKPOINTS_FOLDER)])
    for (const name of await readdir(place).catch(() => []))
      if (/^(step-\d+|final)\.\d+\.tmp$|^\..+\.tmp$/.test(name))
        await rm(join(place, name), { recursive: true, force: true });
}
