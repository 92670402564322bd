import { bytesText } from "@thaw/core";

/** What the decision depends on. */
export interface CacheFacts {
  /** Bytes of one item's features: the mean of the first batch. */
  readonly bytesPerItem: number;
  /** Items that the run will see, all sources together; undefined if a source cannot tell. */
  readonly itemCount?: number;
  readonly memoryLimitBytes: number;
  /** What the disk store may take; 0 if there is none. */
  readonly diskLimitBytes: number;
  /** True if the user asked for the disk store; false: it is used only where memory is too small. */
  readonly wantsDisk: boolean;
}

/** Where features are kept, and why. */
export interface CacheDecision {
  readonly memory: boolean;
  readonly disk: boolean;
  /** Drop the least recently used when memory is full, or keep what is there. */
  readonly evicts: boolean;
  /** A clause for the log and the summary, without full stop. */
  readonly reason: string;
}

/** Where one run keeps its features. Pure; the answer is fixed once the first features show their size. */
export function decideCache(facts: CacheFacts): CacheDecision {
  const { memoryLimitBytes, diskLimitBytes, bytesPerItem, itemCount, wantsDisk } = facts;
  const memory = memoryLimitBytes >= bytesPerItem;
  if (itemCount === undefined) {
    const reason = `the number of images is not known; ${bytesText(memoryLimitBytes)} of memory may be used`;
    return { memory, disk: wantsDisk, evicts: true, reason };
  }
  const neededBytes = bytesPerItem * itemCount;
  const size = `${itemCount} images of ${bytesText(bytesPerItem)} are ${bytesText(neededBytes)}`;
  if (neededBytes <= memoryLimitBytes) {
    const reason = `${size}, which fits into the ${bytesText(memoryLimitBytes)} of memory that may be used`;
    return {
      memory,
      disk: wantsDisk,
      evicts: true,
      reason: wantsDisk ? `${reason}; the disk store that was asked for keeps them for later runs` : reason,
    };
  }
  const overMemory = `${size}, more than the ${bytesText(memoryLimitBytes)} of memory that may be used`;
  if (wantsDisk || neededBytes <= diskLimitBytes) {
    return {
      memory,
      disk: true,
      evicts: true,
      reason: `${overMemory}, so they go to disk, where ${bytesText(diskLimitBytes)} may be used`,
    };
  }
  const share = Math.floor((100 * memoryLimitBytes) / neededBytes);
  return {
    memory,
    disk: false,
    evicts: false,
    reason:
      `${overMemory} and than the ${bytesText(diskLimitBytes)} of disk, so the first ${share}% stay in memory and ` +
      "the others are computed each time",
  };
}
