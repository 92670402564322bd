import { freeBytes } from "@thaw/core";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { pruneStores } from "./disk-room.js";
import { DiskStore, storeFolderName, type StoreIdentity } from "./disk-store.js";

/** Where stores lie and how much they may take together. */
export interface DiskPlace {
  readonly root: string;
  /** Absent: as much as is free. */
  readonly limitBytes?: number;
  /** Other processes of the run use it too, at the same time. */
  readonly isShared?: boolean;
}

/**
 * The store of an identity, and what it may take: what the limit leaves, and at most half of what is free, as the rest
 * of the machine needs room too. `create: false`: only a store that a run before left. Errors of the file system pass
 * through.
 */
export async function openStore(
  place: DiskPlace,
  identity: StoreIdentity,
  create: boolean,
): Promise<{ readonly store?: DiskStore; readonly limitBytes: number }> {
  const free = (await freeBytes(place.root)) ?? Infinity;
  const folder = join(place.root, storeFolderName(identity));
  const store = create || existsSync(folder) ? await DiskStore.open(place.root, identity) : undefined;
  const limit = place.limitBytes ?? Infinity;
  const others = Number.isFinite(limit) ? await pruneStores(place.root, limit, folder) : 0;
  const limitBytes = Math.max(0, Math.min(limit - others, (store?.bytes ?? 0) + free / 2));
  if (store !== undefined) Object.assign(store, { limitBytes, isShared: place.isShared === true });
  return { store, limitBytes };
}

/** A warning for what the disk refused. */
export function withoutDisk(folder: string, error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return (
    `The feature cache writes nothing more to disk: ${text}. In ${folder}. Free space there, or set ` +
    "featureCache.disk to another folder; the run goes on without."
  );
}
