import { open } from "node:fs/promises";
import type * as Hyparquet from "hyparquet";
import type { AsyncBuffer, Compressors, FileMetaData, SchemaElement } from "hyparquet";

/** What reads Parquet, loaded when the first file of it is. */
export async function loadParquet(): Promise<{
  readonly hyparquet: typeof Hyparquet;
  readonly compressors: Compressors;
}> {
  const [hyparquet, { compressors }] = await Promise.all([import("hyparquet"), import("hyparquet-compressors")]);
  return { hyparquet, compressors };
}

/** A file as hyparquet reads one: parts of it, none kept. */
export async function parquetBuffer(path: string): Promise<AsyncBuffer> {
  const handle = await open(path);
  const { size } = await handle.stat();
  await handle.close();
  return {
    byteLength: size,
    slice: async (start, end = size) => {
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
    const element = schema[next]!;
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

/** The stretches of a file. */
export function groupsOf({ row_groups: groups }: FileMetaData): readonly RowGroup[] {
  let end = 0;
  return groups.map(({ num_rows: rows }, index) => {
    const first = end;
    end += Number(rows);
    return { index, first, end };
  });
}
