import {
  type Data,
  DataType,
  type Field,
  Message,
  type RecordBatch as RecordBatchHeader,
  type Schema,
} from "apache-arrow";
import { VectorLoader } from "apache-arrow/visitor/vectorloader";
import { fileMalformed } from "../../errors/files.js";
import type { ByteFile } from "../../records/byte-file.js";
import { verifyMessage } from "./verify-message.js";

const MAGIC = "ARROW1";
const CONTINUATION = 0xffffffff;
const ADVICE = "Write it again with pyarrow or datasets.";

/** Most rows of a file: what an index of 32 bits counts. */
const MAX_ROWS = 2 ** 31 - 1;

/** Rows that are stored together. */
export interface ArrowBatch {
  readonly first: number;
  readonly end: number;
  readonly message: Message;
  /** Where its buffers begin in the file. */
  readonly body: number;
}

/** What a file holds, by its messages alone. */
export interface ArrowIndex {
  readonly schema: Schema;
  readonly batches: readonly ArrowBatch[];
}

/** @throws THAW_DATA_FILE_MALFORMED for what Thaw does not read of Arrow */
function checked(message: Message, header: RecordBatchHeader, path: string): void {
  const { compression } = header as { readonly compression?: unknown };
  if (compression !== undefined && compression !== null)
    throw fileMalformed(path, "The Arrow file is compressed inside.", "Write it without compression.");
}

/**
 * The schema and the batches of an Arrow file or stream, without their values (Arrow columnar format 1.5, "IPC
 * streaming format").
 * @throws THAW_DATA_FILE_MALFORMED for one that is cut off or compressed
 */
export async function indexArrow(file: ByteFile): Promise<ArrowIndex> {
  const isFile = (await file.read(0, MAGIC.length)).toString("latin1") === MAGIC;
  const batches: ArrowBatch[] = [];
  let schema: Schema | undefined;
  let count = 0;
  for (let at = isFile ? 8 : 0; at + 8 <= file.size;) {
    const head = await file.read(at, 8);
    // Before 0.15 messages had no continuation mark.
    const isMarked = head.readUInt32LE(0) === CONTINUATION;
    const length = head.readInt32LE(isMarked ? 4 : 0);
    if (length === 0) break;
    const start = at + (isMarked ? 8 : 4);
    if (length < 0 || start + length > file.size) throw fileMalformed(file.path, "The Arrow file is cut off.", ADVICE);
    const bytes = await file.read(start, length);
    verifyMessage(bytes);
    const message = Message.decode(bytes);
    const body = start + length;
    if (!(message.bodyLength >= 0)) throw fileMalformed(file.path, "An Arrow message has no length.", ADVICE);
    if (body + message.bodyLength > file.size) throw fileMalformed(file.path, "The Arrow file is cut off.", ADVICE);
    if (message.isSchema()) schema ??= message.header() as Schema;
    else if (message.isRecordBatch()) {
      const header = message.header() as unknown as RecordBatchHeader & { readonly length: number };
      checked(message, header, file.path);
      const rows = Number(header.length);
      // A row takes a bit at least; more are said than there are
      if (!(rows >= 0 && rows <= 8 * message.bodyLength && count + rows <= MAX_ROWS))
        throw fileMalformed(file.path, `An Arrow message says that it has ${rows} rows.`, ADVICE);
      batches.push({ first: count, end: count + rows, message, body });
      count += rows;
    } else throw fileMalformed(file.path, "The Arrow file has dictionaries.", "Write its columns as plain texts.");
    at = body + message.bodyLength;
  }
  if (schema === undefined) throw fileMalformed(file.path, "The Arrow file has no schema.", ADVICE);
  return { schema, batches };
}

/** Of each buffer of a column, whether it holds the bytes of items. */
function holdsItems(type: DataType): readonly boolean[] {
  const inner = (type.children ?? []).flatMap((field: Field) => holdsItems(field.type as DataType));
  if (DataType.isNull(type)) return [];
  if (DataType.isBinary(type) || DataType.isLargeBinary(type)) return [false, false, true];
  if (DataType.isUtf8(type) || DataType.isLargeUtf8(type)) return [false, false, false];
  if (DataType.isStruct(type) || DataType.isFixedSizeList(type)) return [false, ...inner];
  return [false, false, ...inner];
}

interface BatchHeader {
  readonly nodes: ConstructorParameters<typeof VectorLoader>[1];
  readonly buffers: ConstructorParameters<typeof VectorLoader>[2];
}

/** The columns of a batch, without the bytes of its items: their place is left empty, and costs no memory. */
export interface LoadedBatch {
  readonly columns: readonly Data[];
  /** Where a buffer of these columns lies in the file. */
  placeOf(bytes: Uint8Array): number;
}

/** Reads the columns of a batch, but for the bytes of its items. */
export async function loadBatch(file: ByteFile, schema: Schema, batch: ArrowBatch): Promise<LoadedBatch> {
  const { nodes, buffers } = batch.message.header() as unknown as BatchHeader;
  const isItem = schema.fields.flatMap(({ type }: Field) => holdsItems(type as DataType));
  const body = new Uint8Array(batch.message.bodyLength);
  for (const { offset, length } of buffers)
    if (!(offset >= 0 && length >= 0 && Number(offset) + Number(length) <= body.length))
      throw new Error("a buffer lies outside of its message");
  for (const [index, { offset, length }] of buffers.entries())
    if (isItem[index] !== true && length > 0)
      body.set(await file.read(batch.body + Number(offset), Number(length)), Number(offset));
  const loader = new VectorLoader(body, nodes, buffers, new Map(), batch.message.version);
  return {
    columns: loader.visitMany(schema.fields) as readonly Data[],
    placeOf: (bytes) => batch.body + bytes.byteOffset - body.byteOffset,
  };
}
