import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { makeFolders } from "@thaw/contracts";
import { lock } from "proper-lockfile";
import { written } from "./download.js";
import { cacheUnwritable } from "./errors.js";

const ASK_EVERY_MS = 200;
/** A lock whose process ended without giving it back is taken over after this time. */
const STALE_MS = 15_000;

/**
 * Runs `work` while no other process of this host does with the same lock. `onWait` is told once that another one does.
 * @throws THAW_HUB_CACHE
 */
export async function whileLocked<Result>(
  path: string,
  onWait: () => void,
  work: () => Promise<Result>,
): Promise<Result> {
  await written(dirname(path), makeFolders(dirname(path)));
  const release = await taken(path, onWait);
  try {
    return await work();
  } finally {
    await release().catch(() => undefined);
  }
}

async function taken(path: string, onWait: () => void): Promise<() => Promise<void>> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await lock(path, { lockfilePath: path, realpath: false, stale: STALE_MS, onCompromised: () => undefined });
    } catch (cause) {
      if ((cause as { code?: unknown }).code !== "ELOCKED") throw cacheUnwritable(path, cause);
      if (attempt === 1) onWait();
      await sleep(ASK_EVERY_MS);
    }
  }
}
