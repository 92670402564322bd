import { type Data, DataType, Vector } from "apache-arrow";
import { openBytes, type ByteFile } from "../../records/byte-file.js";
import { createHash } from "node:crypto";
import { ThawError } from "@thaw/contracts";
import { bytesMalformed } from "../../errors/files.js";
import type { JsonRecord, Records } from "../../records/records.js";
import { StoredItem } from "../../samples/media-reference.js";
import { labelled, labelsOf } from "../folder/labels.js";
import { plainValue } from "../plain-value.js";
import { type ArrowBatch, indexArrow, loadBatch, type LoadedBatch } from "./arrow-file.js";

/** Batches whose texts are kept. */
const KEPT_BATCHES = 8;

type Row = Readonly<Record<string, unknown>>;

/** A value of a column; of bytes the place where they lie. */
class ValueReader {
  readonly #path: string;
  readonly #batch: LoadedBatch;

  constructor(path: string, batch: LoadedBatch) {
    this.#path = path;
    this.#batch = batch;
  }

  /** The value at a place of a column, as JSON would have it. */
  valueAt(column: Data, index: number, name: string): unknown {
    if (!column.getValid(index)) return null;
    const { type } = column;
    if (DataType.isBinary(type) || DataType.isLargeBinary(type)) return this.#stored(column, index, name);
    if (DataType.isStruct(type)) return this.#struct(column, index, name);
    if (DataType.isList(type) || DataType.isLargeList(type)) {
      const child = column.children[0]!;
      const [first, end] = boundsOf(column, index, child.length);
      return Array.from({ length: end - first }, (_, at) => this.valueAt(child, first + at, name));
    }
    return plainValue(new Vector([column]).get(index));
  }

  /** A struct of bytes and their path is an item; where it has no bytes, its path. */
  #struct(column: Data, index: number, name: string): unknown {
    const fields = column.type.children as readonly { readonly name: string }[];
    const entries = fields.map((field, at) => [field.name, this.valueAt(column.children[at]!, index, name)] as const);
    const value = Object.fromEntries(entries);
    if (value["bytes"] instanceof StoredItem) return value["bytes"];
    return Object.hasOwn(value, "bytes") && typeof value["path"] === "string" ? value["path"] : value;
  }

  #stored(column: Data, index: number, name: string): StoredItem {
    const [first, end] = boundsOf(column, index, Number.MAX_SAFE_INTEGER);
    const offset = this.#batch.placeOf(column.values as Uint8Array) + first;
    return new StoredItem({ kind: "range", path: this.#path, name, offset, length: end - first });
  }
}

function boundsOf({ valueOffsets, offset }: Data, index: number, most: number): readonly [first: number, end: number] {
  const [first, end] = [Number(valueOffsets[offset + index]), Number(valueOffsets[offset + index + 1])];
  if (!(first >= 0 && first <= end && end <= most)) throw new Error(`a value lies from ${first} to ${end} of ${most}`);
  return [first, end];
}

/**
 * The rows of an Arrow file or stream. Pictures and sounds in it are not read with them: their places are. The caller
 * closes it.
 * @throws THAW_DATA_FILE_UNREADABLE, THAW_DATA_FILE_MALFORMED
 */
export async function openArrow(path: string): Promise<Records> {
  const file = await openBytes(path);
  try {
    return await recordsOf(file);
  } catch (cause) {
    await file.close();
    throw cause;
  }
}

async function recordsOf(file: ByteFile): Promise<Records> {
  const { path } = file;
  const { schema, batches } = await indexArrow(file).catch((cause: unknown) => {
    throw cause instanceof ThawError ? cause : bytesMalformed(path, "The Arrow file", cause);
  });
  const labels = labelsOf(schema.metadata.get("huggingface"));
  const kept = new Map<ArrowBatch, Promise<LoadedBatch>>();
  const loaded = (batch: ArrowBatch): Promise<LoadedBatch> => {
    const known = kept.get(batch);
    if (known !== undefined) return known;
    const made = loadBatch(file, schema, batch);
    kept.set(batch, made);
    if (kept.size > KEPT_BATCHES) kept.delete(kept.keys().next().value!);
    return made;
  };
  return {
    count: batches.at(-1)?.end ?? 0,
    read: async (index): Promise<JsonRecord> => {
      const origin = `${path} row ${index}`;
      const batch = batches.find(({ end }) => index < end)!;
      try {
        const columns = await loaded(batch);
        const reader = new ValueReader(path, columns);
        const row = index - batch.first;
        const entries = schema.fields.map(({ name }, at) => {
          const cell = `${name} of row ${index}`;
          return [name, reader.valueAt(columns.columns[at]!, row, cell)] as const;
        });
        return { value: labelled(Object.fromEntries(entries) as Row, labels), origin };
      } catch (cause) {
        throw bytesMalformed(origin, "The row", cause);
      }
    },
    fingerprint: (first, end) => {
      const own = batches.filter((batch) => batch.end > first && batch.first < end);
      const text = JSON.stringify([first, end, own.map(({ body, message }) => [body, message.bodyLength])]);
      return Promise.resolve(createHash("sha256").update(text).digest("hex").slice(0, 16));
    },
    close: () => file.close(),
  };
}
