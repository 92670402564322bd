import { float32Bytes } from "@thaw/core";
import { crc32 } from "node:zlib";

/** One line of a writer's index: where a feature lies in the writer's data file. */
export interface StoreEntry {
  readonly key: string;
  /** Bytes into the data file. */
  readonly offset: number;
  readonly shape: readonly number[];
  readonly crc: number;
}

/** Endings of a writer's two files. */
export const DATA_ENDING = ".features";
export const INDEX_ENDING = ".index";

/** Checksum of a feature: of its bytes and its shape. */
export function sumOf(shape: readonly number[], bytes: Uint8Array): number {
  return crc32(bytes, crc32(shape.join()));
}

/** The whole entries of an index whose data file has `size` bytes. */
export function entriesOf(index: string, size: number): readonly StoreEntry[] {
  return index
    .split("\n")
    .slice(0, -1)
    .flatMap((line) => parseEntry(line) ?? [])
    .filter(({ offset, shape }) => offset + float32Bytes(shape) <= size);
}

function parseEntry(line: string): StoreEntry | undefined {
  try {
    const entry = JSON.parse(line) as { key?: unknown; offset?: unknown; shape?: unknown; crc?: unknown };
    const isSize = (size: unknown): size is number => Number.isSafeInteger(size) && (size as number) >= 0;
    if (typeof entry.key !== "string" || !isSize(entry.offset) || !isSize(entry.crc)) return undefined;
    if (!Array.isArray(entry.shape) || !entry.shape.every(isSize)) return undefined;
    return { key: entry.key, offset: entry.offset, shape: entry.shape, crc: entry.crc };
  } catch {
    return undefined;
  }
}
