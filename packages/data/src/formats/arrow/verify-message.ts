/** Kinds of headers of a message (Arrow columnar format 1.5, `format/Message.fbs`). */
const [SCHEMA, RECORD_BATCH] = [1, 3];
const OFFSET_BYTES = 4;
/** Of a `FieldNode` and of a `Buffer`, which are structs of two numbers of 64 bits. */
const PAIR_BYTES = 16;

/**
 * Looks at the tables and lists of an Arrow message before apache-arrow reads it, which takes the lengths of lists as
 * they stand: a list lies in the message, and no table is met more often than the message has room for it. Offsets are
 * those of FlatBuffers ("FlatBuffer Internals"), fields are numbered as in `Message.fbs` and `Schema.fbs`.
 * @throws RangeError for what lies outside of the message, Error for lists that are longer than it
 */
export function verifyMessage(bytes: Uint8Array): void {
  const tables = new Tables(bytes);
  const message = tables.at(0);
  tables.list(message, 4, OFFSET_BYTES);
  const header = tables.child(message, 2);
  if (header === undefined) return;
  const kind = tables.byte(message, 1);
  if (kind === RECORD_BATCH) for (const field of [1, 2]) tables.list(header, field, PAIR_BYTES);
  if (kind !== SCHEMA) return;
  tables.list(header, 2, OFFSET_BYTES);
  verifyFields(tables, header, 1);
}

function verifyFields(tables: Tables, parent: number, list: number): void {
  for (const field of tables.children(parent, list)) {
    tables.list(field, 6, OFFSET_BYTES);
    verifyFields(tables, field, 5);
  }
}

/** Tables of a FlatBuffer by their place. */
class Tables {
  readonly #view: DataView;
  #left: number;

  constructor({ buffer, byteOffset, byteLength }: Uint8Array) {
    this.#view = new DataView(buffer, byteOffset, byteLength);
    this.#left = byteLength / OFFSET_BYTES;
  }

  /** The table that the offset at a place leads to. */
  at(place: number): number {
    if ((this.#left -= 1) < 0) throw new Error("its tables lead into each other");
    return place + this.#view.getUint32(place, true);
  }

  child(table: number, field: number): number | undefined {
    const place = this.#place(table, field);
    return place === undefined ? undefined : this.at(place);
  }

  byte(table: number, field: number): number {
    const place = this.#place(table, field);
    return place === undefined ? 0 : this.#view.getUint8(place);
  }

  /** The tables of a list. */
  children(table: number, field: number): readonly number[] {
    const { begin, count } = this.list(table, field, OFFSET_BYTES);
    return Array.from({ length: count }, (_, index) => this.at(begin + index * OFFSET_BYTES));
  }

  /** A list that lies in the message as a whole. */
  list(table: number, field: number, itemBytes: number): { readonly begin: number; readonly count: number } {
    const place = this.#place(table, field);
    if (place === undefined) return { begin: 0, count: 0 };
    const start = place + this.#view.getUint32(place, true);
    const [begin, count] = [start + OFFSET_BYTES, this.#view.getUint32(start, true)];
    if (begin + count * itemBytes > this.#view.byteLength) throw new Error("a list of it is longer than its message");
    return { begin, count };
  }

  #place(table: number, field: number): number | undefined {
    const known = table - this.#view.getInt32(table, true);
    const slot = 4 + 2 * field;
    const offset = slot < this.#view.getUint16(known, true) ? this.#view.getUint16(known + slot, true) : 0;
    return offset === 0 ? undefined : table + offset;
  }
}
