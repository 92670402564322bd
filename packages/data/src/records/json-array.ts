import { fileMalformed } from "../errors/files.js";
import { type ByteFile, piecesOf } from "./byte-file.js";
import { Places } from "./places.js";

const [QUOTE, BACKSLASH, COMMA] = [0x22, 0x5c, 0x2c];
const OPENING = new Set([0x5b, 0x7b]);
const CLOSING = new Set([0x5d, 0x7d]);
/** A byte order mark may stand before the text. */
const BOM = [0xef, 0xbb, 0xbf];
const isBlank = (byte: number): boolean => byte === 0x20 || (byte >= 0x09 && byte <= 0x0d);

export const ARRAY_ADVICE = "A .json data file holds one array of objects; a .jsonl file one object per line.";

/**
 * Finds the entries of a file that is one JSON array, without parsing them.
 * @throws THAW_DATA_FILE_MALFORMED for what is not an array, or one that is cut off
 */
export async function indexArray(file: ByteFile): Promise<Places> {
  const scanner = new ArrayScanner(file.path);
  let offset = 0;
  for await (const piece of piecesOf(file)) {
    scanner.scan(piece, offset);
    offset += piece.length;
  }
  return scanner.end();
}

class ArrayScanner {
  readonly #path: string;
  readonly #places = new Places();
  #depth = 0;
  #isOpened = false;
  #inString = false;
  #isEscaped = false;
  /** Where the entry began that is being read; -1 between entries. */
  #start = -1;
  #needsComma = false;
  #lastComma = false;

  constructor(path: string) {
    this.#path = path;
  }

  scan(piece: Buffer, offset: number): void {
    for (let at = 0; at < piece.length; at += 1) {
      const byte = piece[at]!;
      if (this.#inString) {
        if (this.#isEscaped) this.#isEscaped = false;
        else if (byte === BACKSLASH) this.#isEscaped = true;
        else if (byte === QUOTE) this.#inString = false;
      } else if (this.#depth > 1) this.#within(byte, offset + at);
      else if (!isBlank(byte)) this.#between(byte, offset + at);
      else if (this.#start >= 0) this.#finish(offset + at);
    }
  }

  /** Inside an entry that is an object or an array. */
  #within(byte: number, at: number): void {
    if (byte === QUOTE) this.#inString = true;
    else if (OPENING.has(byte)) this.#depth += 1;
    else if (CLOSING.has(byte)) {
      this.#depth -= 1;
      if (this.#depth === 1) this.#finish(at + 1);
    }
  }

  #between(byte: number, at: number): void {
    if (!this.#isOpened) {
      if (at < BOM.length && byte === BOM[at]) return;
      if (byte !== 0x5b) throw fileMalformed(this.#path, "The value is not a JSON array.", ARRAY_ADVICE);
      this.#isOpened = true;
      this.#depth = 1;
    } else if (this.#depth === 0) throw this.#invalid("text follows the end of the array");
    else if (byte === COMMA || byte === 0x5d) {
      if (this.#start >= 0) this.#finish(at);
      if (byte === COMMA ? !this.#needsComma : this.#lastComma) throw this.#invalid("a comma without an entry");
      this.#needsComma = false;
      this.#lastComma = byte === COMMA;
      if (byte !== COMMA) this.#depth = 0;
    } else this.#begin(byte, at);
  }

  #begin(byte: number, at: number): void {
    if (this.#start < 0) {
      if (this.#needsComma) throw this.#invalid(`no comma behind the entry [${this.#places.count - 1}]`);
      this.#start = at;
    }
    if (byte === QUOTE) this.#inString = true;
    else if (OPENING.has(byte)) this.#depth += 1;
    this.#lastComma = false;
  }

  #finish(end: number): void {
    this.#places.add(this.#start, end);
    this.#start = -1;
    this.#needsComma = true;
  }

  #invalid(reason: string): Error {
    return fileMalformed(this.#path, `The text is not valid JSON: ${reason}.`, ARRAY_ADVICE);
  }

  end(): Places {
    if (!this.#isOpened) throw this.#invalid("the file is empty");
    if (this.#depth > 0 || this.#inString) throw this.#invalid("the array is cut off");
    return this.#places;
  }
}
