import type { MediaReference } from "@thaw/contracts";
import type { AsyncBuffer, Compressors, FileMetaData, parquetReadObjects } from "hyparquet";
import { groupsOf, leavesOf, loadParquet, parquetBuffer, type RowGroup, withLeaves } from "./parquet-file.js";

type Cell = Extract<MediaReference, { kind: "cell" }>;

/** Most bytes of unpacked values that a thread keeps, so that neighbours are read once. */
const KEPT_BYTES = 128 * 1024 * 1024;

interface CellFile {
  readonly file: AsyncBuffer;
  readonly metadata: FileMetaData;
  readonly groups: readonly RowGroup[];
  readonly read: typeof parquetReadObjects;
  readonly compressors: Compressors;
}

const files = new Map<string, Promise<CellFile>>();
/** Unpacked values of a stretch of rows, those used last behind the others. */
const kept = new Map<string, { readonly values: Promise<readonly unknown[]>; bytes: number }>();

async function openCells(path: string): Promise<CellFile> {
  const { hyparquet, compressors } = await loadParquet();
  const file = await parquetBuffer(path);
  const whole = await hyparquet.parquetMetadataAsync(file);
  const binary = leavesOf(whole).filter(({ isBinary }) => isBinary);
  const metadata = withLeaves(whole, (way) => binary.some((leaf) => leaf.way.join() === way.join()));
  return { file, metadata, groups: groupsOf(whole), read: hyparquet.parquetReadObjects, compressors };
}

function fileOf(path: string): Promise<CellFile> {
  const known = files.get(path);
  if (known !== undefined) return known;
  const opened = openCells(path);
  files.set(path, opened);
  opened.catch(() => files.delete(path));
  return opened;
}

/** True where the file says where its pages lie, so that one row can be read without its neighbours. */
function hasPageIndex({ metadata }: CellFile, group: number, column: string): boolean {
  return metadata.row_groups[group]!.columns.every(
    ({ meta_data: data, offset_index_offset: offset }) => data!.path_in_schema[0] !== column || offset !== undefined,
  );
}

async function valuesOf(path: string, column: string, opened: CellFile, group: RowGroup): Promise<readonly unknown[]> {
  const key = `${path}\n${column}\n${group.index}`;
  const known = kept.get(key);
  if (known !== undefined) {
    kept.delete(key);
    kept.set(key, known);
    return known.values;
  }
  const entry = { values: rowsOf(column, opened, group.first, group.end), bytes: 0 };
  kept.set(key, entry);
  try {
    const values = await entry.values;
    entry.bytes = values.reduce<number>((sum, value) => sum + sizeOf(value), 0);
  } catch (cause) {
    kept.delete(key);
    throw cause;
  }
  let all = [...kept.values()].reduce((sum, { bytes }) => sum + bytes, 0);
  for (const [old, { bytes }] of kept) {
    if (all <= KEPT_BYTES || old === key) break;
    kept.delete(old);
    all -= bytes;
  }
  return entry.values;
}

async function rowsOf(column: string, opened: CellFile, first: number, end: number): Promise<readonly unknown[]> {
  const { file, metadata, read, compressors } = opened;
  const isPaged = end === first + 1;
  const options = { file, metadata, columns: [column], rowStart: first, rowEnd: end, compressors, utf8: false };
  const rows = await read({ ...options, useOffsetIndex: isPaged });
  return rows.map((row) => row[column] as unknown);
}

function sizeOf(value: unknown): number {
  if (value instanceof Uint8Array) return value.length;
  if (typeof value !== "object" || value === null) return 0;
  return Object.values(value).reduce<number>((sum, inner) => sum + sizeOf(inner), 0);
}

/** The bytes in a value: its own, those of a struct, or of one of a list of either. */
function bytesIn(value: unknown, item: number | undefined): Uint8Array | undefined {
  if (value instanceof Uint8Array) return value;
  if (Array.isArray(value)) return bytesIn(value[item ?? 0], undefined);
  if (typeof value !== "object" || value === null) return undefined;
  return Object.values(value).find((inner) => inner instanceof Uint8Array);
}

/** The bytes of a value of a Parquet file. @throws Error where there are none, and what the system says */
export async function readCell({ path, row, column, item }: Cell): Promise<Uint8Array> {
  const opened = await fileOf(path);
  const group = opened.groups.find(({ end }) => row < end);
  if (group === undefined) throw new Error(`the file has no row ${row}`);
  const value = hasPageIndex(opened, group.index, column)
    ? (await rowsOf(column, opened, row, row + 1))[0]
    : (await valuesOf(path, column, opened, group))[row - group.first];
  const bytes = bytesIn(value, item);
  if (bytes === undefined) throw new Error("the cell is empty");
  // A copy: the neighbours' bytes lie in the same memory, and all of it would go to a worker.
  return bytes.slice();
}
