import { open } from "node:fs/promises";
import type * as Hyparquet from "hyparquet";
import type { AsyncBuffer, Compressors, FileMetaData, SchemaElement } from "hyparquet";

/** What reads Parquet, loaded when the first file of it is. */
export async function loadParquet(): Promise<{
  readonly hyparquet: typeof Hyparquet;
  readonly compressors: Compressors;
}> {
  const [hyparquet, { compressors }] = await Promise.all([import("hyparquet"), import("hyparquet-compressors")]);
  return { hyparquet, compressors: boundedCompressors(compressors) };
}

/** Most bytes that a page may unpack to; writers make pages of 1 MB, or of one picture. */
const MAX_PAGE_BYTES = 512 * 1024 * 1024;
/** Of pages above `FREE_BYTES`: more than any text or picture packs. */
const MAX_RATIO = 1000;
const FREE_BYTES = 16 * 1024 * 1024;

/** Unpackers that look at the size that a page claims before they take the memory for it. */
function boundedCompressors(compressors: Compressors): Compressors {
  const bounded = Object.entries(compressors).map(([name, unpack]): [string, typeof unpack] => [
    name,
    (input, outputLength) => {
      const most = Math.min(MAX_PAGE_BYTES, Math.max(FREE_BYTES, MAX_RATIO * input.length));
      if (!(outputLength >= 0 && outputLength <= most))
        throw new Error(`a page of ${input.length} bytes says that it unpacks to ${outputLength}`);
      return unpack(input, outputLength);
    },
  ]);
  return Object.fromEntries(bounded) as Compressors;
}

/** A file as hyparquet reads one: parts of it, none kept. */
export async function parquetBuffer(path: string): Promise<AsyncBuffer> {
  const handle = await open(path);
  const { size } = await handle.stat();
  await handle.close();
  return {
    byteLength: size,
    slice: async (start, end = size) => {
      if (!(start >= 0 && start <= end && end <= size)) throw new Error(`the file ends before byte ${end}`);
      const bytes = new Uint8Array(end - start);
      const part = await open(path);
      try {
        let done = 0;
        while (done < bytes.length) {
          const { bytesRead } = await part.read(bytes, done, bytes.length - done, start + done);
          if (bytesRead === 0) throw new Error(`the file ends before byte ${end}`);
          done += bytesRead;
        }
      } finally {
        await part.close();
      }
      return bytes.buffer;
    },
  };
}

/** A column of values that a file has, by its way from the top: `["image", "bytes"]`. */
export interface Leaf {
  readonly way: readonly string[];
  /** True of bytes that are not text. */
  readonly isBinary: boolean;
}

/** All columns of values of a file. */
export function leavesOf({ schema }: FileMetaData): readonly Leaf[] {
  const leaves: Leaf[] = [];
  walk(schema, (element, way) => {
    const isText = element.converted_type === "UTF8" || element.logical_type?.type === "STRING";
    leaves.push({ way, isBinary: element.type === "BYTE_ARRAY" && !isText && element.logical_type === undefined });
  });
  return leaves;
}

/** Calls `leaf` for each element without children; the list has every parent before its children. */
function walk(schema: readonly SchemaElement[], leaf: (element: SchemaElement, way: readonly string[]) => void): void {
  let next = 0;
  const visit = (way: readonly string[]): void => {
    const element = schema[next];
    if (element === undefined) throw new Error("its schema is cut off");
    next += 1;
    if (element.num_children === undefined || element.num_children === 0) return leaf(element, way);
    for (let child = 0; child < element.num_children; child += 1) visit([...way, schema[next]!.name]);
  };
  visit([]);
}

/** The same file as if it had some of its columns only. */
export function withLeaves(metadata: FileMetaData, keep: (way: readonly string[]) => boolean): FileMetaData {
  let next = 0;
  const kept = (way: readonly string[]): SchemaElement[] => {
    const element = metadata.schema[next]!;
    next += 1;
    if (element.num_children === undefined || element.num_children === 0) return keep(way) ? [element] : [];
    const children: SchemaElement[][] = [];
    for (let child = 0; child < element.num_children; child += 1)
      children.push(kept([...way, metadata.schema[next]!.name]));
    const inner = children.filter((elements) => elements.length > 0);
    return inner.length === 0 && way.length > 0 ? [] : [{ ...element, num_children: inner.length }, ...inner.flat()];
  };
  return {
    ...metadata,
    schema: kept([]),
    row_groups: metadata.row_groups.map((group) => ({
      ...group,
      columns: group.columns.filter(({ meta_data: data }) => keep(data!.path_in_schema)),
    })),
  };
}

/** A stretch of rows that are stored together. */
export interface RowGroup {
  readonly index: number;
  readonly first: number;
  readonly end: number;
}

/** Rows of a group that may be all alike, and take hardly a byte. */
const FREE_ROWS = 2 ** 23;
/** Most rows of a file: what an index of 32 bits counts. */
const MAX_ROWS = 2 ** 31 - 1;

/**
 * The stretches of a file. @throws Error where their rows or columns are not those of the file: hyparquet begins to
 * read columns that it then has no place for, and nobody would hear of what fails in these.
 */
export function groupsOf(metadata: FileMetaData): readonly RowGroup[] {
  const { row_groups: groups, num_rows: count } = metadata;
  const ways = JSON.stringify(leavesOf(metadata).map(({ way }) => way));
  const isOther = (group: (typeof groups)[number]): boolean =>
    JSON.stringify(group.columns.map(({ meta_data: data }) => data?.path_in_schema)) !== ways;
  const other = groups.findIndex(isOther);
  if (other >= 0) throw new Error(`its group ${other} has other columns than its schema`);
  let end = 0;
  const stretches = groups.map(({ num_rows: rows, columns }, index) => {
    const first = end;
    end += Number(rows);
    const isFlat = columns.every(({ meta_data: data }) => data === undefined || data.num_values >= rows);
    if (rows < 0 || !isFlat) throw new Error(`its group ${index} has fewer values than rows`);
    const bytes = columns.reduce((sum, { meta_data: data }) => sum + Number(data?.total_compressed_size ?? 0), 0);
    if (rows > FREE_ROWS && rows > 8 * bytes) throw new Error(`its group ${index} has ${rows} rows in ${bytes} bytes`);
    return { index, first, end };
  });
  if (end !== Number(count) || end > MAX_ROWS)
    throw new Error(`it says that it has ${count} rows, and its groups have ${end}`);
  return stretches;
}
