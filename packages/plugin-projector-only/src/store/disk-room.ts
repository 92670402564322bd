import { readdir, rm, stat } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";

/** Stores that a run may still have open are left alone for this long. */
const IN_USE_MS = 24 * 60 * 60 * 1000;

/** Where stores lie unless a setting names a folder. */
export function defaultCacheFolder(): string {
  return join(homedir(), ".cache", "thaw", "features");
}

/**
 * Makes room below `root`: deletes whole stores, those used longest ago first, until all of them hold at most
 * `limitBytes`. Never `keep`, nor a store used within a day. Returns the bytes that the others still take.
 */
export async function pruneStores(root: string, limitBytes: number, keep: string): Promise<number> {
  const stores = [];
  for (const name of await readdir(root).catch(() => [])) {
    const folder = join(root, name);
    const files = await readdir(folder).catch(() => undefined);
    // Only folders that this package made are counted, and only they may be deleted.
    if (files === undefined || !files.includes("identity.json")) continue;
    const sizes = await Promise.all(
      files.map(async (file) => (await stat(join(folder, file)).catch(() => undefined))?.size ?? 0),
    );
    stores.push({ folder, bytes: sizes.reduce((sum, size) => sum + size, 0), usedAt: (await stat(folder)).mtimeMs });
  }
  let bytes = stores.reduce((sum, store) => sum + store.bytes, 0);
  stores.sort((left, right) => left.usedAt - right.usedAt);
  for (const store of stores) {
    if (bytes <= limitBytes) break;
    if (store.folder === keep || Date.now() - store.usedAt < IN_USE_MS) continue;
    await rm(store.folder, { recursive: true, force: true });
    bytes -= store.bytes;
  }
  return bytes - (stores.find((store) => store.folder === keep)?.bytes ?? 0);
}
