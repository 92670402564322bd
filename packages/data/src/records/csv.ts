import { parse } from "csv-parse/sync";
import { fileMalformed } from "../errors/files.js";
import { type ByteFile, openBytes, piecesOf } from "./byte-file.js";
import { refuseForeign, TELLING_BYTES } from "./first-bytes.js";
import { Places } from "./places.js";
import { hashOfPlaces, type JsonRecord, type Records, textOf } from "./records.js";

const [NEWLINE, QUOTE] = [0x0a, 0x22];
const ADVICE = "The first row holds the names of the columns; a cell with the delimiter or a line break is quoted.";

/** How a table is written. */
export interface TableStyle {
  readonly delimiter: string;
  /** False: quotes are characters like others, as TSV has it. */
  readonly quotes: boolean;
}

/** Where the rows lie, without blank ones: a line break between quotes ends none. */
async function indexRows(file: ByteFile, { quotes }: TableStyle): Promise<Places> {
  const places = new Places();
  let offset = 0;
  let start = 0;
  let isQuoted = false;
  const end = (at: number): void => {
    if (at > start) places.add(start, at);
    start = at + 1;
  };
  for await (const piece of piecesOf(file)) {
    for (let at = 0; at < piece.length; at += 1) {
      const byte = piece[at]!;
      if (quotes && byte === QUOTE) isQuoted = !isQuoted;
      else if (byte === NEWLINE && !isQuoted) end(offset + at);
    }
    offset += piece.length;
  }
  if (isQuoted) throw fileMalformed(file.path, "A quote is opened and not closed.", ADVICE);
  end(offset);
  return places;
}

/** The style that a file's name tells: tabs in .tsv, commas else. */
export function styleOf(path: string): TableStyle {
  return /\.tsv(?:\.(?:gz|zst))?$/i.test(path) ? { delimiter: "\t", quotes: false } : { delimiter: ",", quotes: true };
}

/**
 * The rows of a CSV or TSV file as objects of texts by the names in its first row. The caller closes them.
 * @throws THAW_DATA_FILE_UNREADABLE, THAW_DATA_FILE_MALFORMED
 */
export async function openTable(path: string, style: TableStyle): Promise<Records> {
  const file = await openBytes(path);
  try {
    refuseForeign(await file.read(0, TELLING_BYTES), "a table of text", path, "Give a .csv or .tsv file.");
    const places = await indexRows(file, style);
    const cells = async (row: number, origin: string): Promise<readonly string[]> => {
      const text = textOf(await file.read(places.startOf(row), places.lengthOf(row)), origin, "a table of text");
      try {
        const { delimiter, quotes } = style;
        return (
          (parse(text, { delimiter, quote: quotes ? '"' : false, relax_column_count: true }) as string[][])[0] ?? []
        );
      } catch (cause) {
        const [reason] = (cause as Error).message.split("\n");
        throw fileMalformed(origin, `The row is not valid CSV: ${reason}.`, ADVICE, cause);
      }
    };
    const names = places.count === 0 ? [] : await cells(0, `${path}, row 1`);
    return {
      count: Math.max(0, places.count - 1),
      read: async (index): Promise<JsonRecord> => {
        const origin = `${path}, row ${index + 2}`;
        const row = await cells(index + 1, origin);
        if (row.length !== names.length)
          throw fileMalformed(origin, `The row has ${row.length} cells, and the first row ${names.length}.`, ADVICE);
        return { value: Object.fromEntries(names.map((name, column) => [name.trim(), row[column]])), origin };
      },
      fingerprint: (first, last) => hashOfPlaces(file, places, first + 1, last + 1),
      close: () => file.close(),
    };
  } catch (cause) {
    await file.close();
    throw cause;
  }
}
