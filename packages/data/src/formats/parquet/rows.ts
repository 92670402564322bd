import { createHash } from "node:crypto";
import type * as Hyparquet from "hyparquet";
import type { AsyncBuffer, FileMetaData } from "hyparquet";
import { bytesMalformed, fileUnreadable } from "../../errors/files.js";
import type { JsonRecord, Records } from "../../records/records.js";
import { StoredItem } from "../../samples/media-reference.js";
import { labelled, labelsOf } from "../folder/labels.js";
import { plainValue } from "../plain-value.js";
import {
  groupsOf,
  type Leaf,
  leavesOf,
  loadParquet,
  parquetBuffer,
  type RowGroup,
  withLeaves,
} from "./parquet-file.js";

/** Groups of rows whose texts are kept. */
const KEPT_GROUPS = 16;

/** Columns of bytes by name; `isAbsent` where no row has any, so that the path beside them counts. */
type ItemColumns = ReadonlyMap<string, { readonly isAbsent: boolean }>;

function itemColumns(metadata: FileMetaData, leaves: readonly Leaf[]): ItemColumns {
  const binary = leaves.filter(({ isBinary }) => isBinary);
  return new Map(
    binary.map(({ way }) => {
      const chunks = metadata.row_groups.flatMap(({ columns }) =>
        columns.filter(({ meta_data: data }) => data!.path_in_schema.join() === way.join()),
      );
      const isAbsent = chunks.every(
        ({ meta_data: data }) =>
          data!.statistics?.null_count !== undefined && data!.statistics.null_count === data!.num_values,
      );
      return [way[0]!, { isAbsent }];
    }),
  );
}

/** What stands for the items of a cell: where their bytes lie, or their paths. */
function itemsOf(value: unknown, path: string, row: number, column: string, isAbsent: boolean): unknown {
  const one = (given: unknown, item?: number): unknown => {
    if (given === null) return null;
    if (isAbsent) return (given as { readonly path?: unknown } | undefined)?.path;
    return new StoredItem({ kind: "cell", path, row, column, ...(item === undefined ? {} : { item }) });
  };
  return Array.isArray(value) ? value.map((given, item) => one(given, item)) : one(value);
}

/** What a file says of itself, judged. @throws THAW_DATA_FILE_MALFORMED */
async function headOf(
  path: string,
  file: AsyncBuffer,
  { parquetMetadataAsync }: Pick<typeof Hyparquet, "parquetMetadataAsync">,
): Promise<{
  readonly whole: FileMetaData;
  readonly items: ItemColumns;
  readonly metadata: FileMetaData;
  readonly groups: readonly RowGroup[];
}> {
  try {
    const whole = await parquetMetadataAsync(file);
    const leaves = leavesOf(whole);
    const isItem = (way: readonly string[]): boolean =>
      leaves.some((leaf) => leaf.isBinary && leaf.way.join() === way.join());
    return {
      whole,
      items: itemColumns(whole, leaves),
      metadata: withLeaves(whole, (way) => !isItem(way)),
      groups: groupsOf(whole),
    };
  } catch (cause) {
    throw bytesMalformed(path, "The Parquet file", cause);
  }
}

/**
 * The rows of a Parquet file. Pictures and sounds in it are not read with them: their places are. Nothing is to be
 * closed.
 * @throws THAW_DATA_FILE_UNREADABLE, THAW_DATA_FILE_MALFORMED
 */
export async function openParquet(path: string): Promise<Records> {
  const { hyparquet, compressors } = await loadParquet();
  const file = await parquetBuffer(path).catch((cause: unknown) => {
    throw fileUnreadable(path, "The Parquet file", cause);
  });
  const { whole, items, metadata, groups } = await headOf(path, file, hyparquet);
  const labels = labelsOf(whole.key_value_metadata?.find(({ key }) => key === "huggingface")?.value);
  const kept = new Map<number, Promise<readonly Readonly<Record<string, unknown>>[]>>();
  const rowsOf = (group: RowGroup): Promise<readonly Readonly<Record<string, unknown>>[]> => {
    const known = kept.get(group.index);
    if (known !== undefined) return known;
    const rows =
      metadata.schema.length < 2
        ? Promise.resolve(Array.from({ length: group.end - group.first }, () => ({})))
        : hyparquet.parquetReadObjects({ file, metadata, rowStart: group.first, rowEnd: group.end, compressors });
    kept.set(group.index, rows);
    if (kept.size > KEPT_GROUPS) kept.delete(kept.keys().next().value!);
    return rows;
  };
  return {
    count: groups.at(-1)?.end ?? 0,
    read: async (index): Promise<JsonRecord> => {
      const origin = `${path} row ${index}`;
      const group = groups.find(({ end }) => index < end)!;
      const rows = await rowsOf(group).catch((cause: unknown) => {
        throw bytesMalformed(origin, "The row", cause);
      });
      if (rows[index - group.first] === undefined) throw bytesMalformed(origin, "The row", new Error("it is missing"));
      const value = labelled(plainValue(rows[index - group.first]) as Readonly<Record<string, unknown>>, labels);
      const stored = [...items].map(([column, { isAbsent }]) => [
        column,
        itemsOf(value[column], path, index, column, isAbsent),
      ]);
      return { value: { ...value, ...Object.fromEntries(stored) }, origin };
    },
    fingerprint: (first, end) => {
      const own = whole.row_groups.filter((_, index) => groups[index]!.end > first && groups[index]!.first < end);
      const facts = own.map(({ num_rows: rows, total_byte_size: bytes, columns }) => [
        rows,
        bytes,
        columns.map(({ meta_data: data }) => [data!.data_page_offset, data!.total_compressed_size, data!.statistics]),
      ]);
      const text = JSON.stringify([first, end, facts], (_, fact: unknown) =>
        typeof fact === "bigint" ? String(fact) : fact,
      );
      return Promise.resolve(createHash("sha256").update(text).digest("hex").slice(0, 16));
    },
    close: () => Promise.resolve(),
  };
}
