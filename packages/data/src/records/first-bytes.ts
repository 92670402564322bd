import { fileMalformed } from "../errors/files.js";

/** What a file is, by how it begins. */
export interface Recognised {
  readonly name: string;
  /** What to do, where there is something. */
  readonly advice?: string;
  readonly isPicture?: boolean;
}

const HTML = /^\s*(?:<!doctype html|<html)/i;
/** How files begin that are not the text that they are taken for: read as text they would fill the terminal. */
const BEGINNINGS: readonly (readonly [magic: string, recognised: Recognised])[] = [
  ["PAR1", { name: "a Parquet file", advice: "Write type: parquet." }],
  ["ARROW1", { name: "an Arrow file", advice: "Write type: arrow." }],
  ["\u00ff\u00ff\u00ff\u00ff", { name: "an Arrow stream", advice: "Write type: arrow." }],
  ["\u001f\u008b", { name: "a gzip archive" }],
  ["\u0028\u00b5\u002f\u00fd", { name: "a zstd archive" }],
  ["PK\u0003\u0004", { name: "a zip archive", advice: "Unpack it first." }],
  [
    "version https://git-lfs",
    { name: "a git-lfs pointer: the file itself was not fetched (`git lfs pull`)", advice: "Fetch it first." },
  ],
  ["\u0089PNG", { name: "a PNG picture", isPicture: true }],
  ["\u00ff\u00d8\u00ff", { name: "a JPEG picture", isPicture: true }],
  ["SQLite format 3", { name: "an SQLite database" }],
];
const TAR_AT = 257;

/** So many bytes tell what a file is. */
export const TELLING_BYTES = 512;

/** What a file of these first bytes is, where it is something else than text. */
export function recognise(head: Buffer): Recognised | undefined {
  const text = head.toString("latin1");
  const found = BEGINNINGS.find(([magic]) => text.startsWith(magic));
  if (found !== undefined) return found[1];
  if (text.startsWith("ustar", TAR_AT)) return { name: "a tar archive", advice: "Write type: webdataset." };
  if (HTML.test(text))
    return { name: "a web page (HTML)", advice: "What was to be downloaded was not: fetch it again." };
  return undefined;
}

/** @throws THAW_DATA_FILE_MALFORMED where bytes that are to be `wanted` begin as something else does */
export function refuseForeign(head: Buffer, wanted: string, origin: string, advice: string): void {
  const found = recognise(head);
  if (found !== undefined) throw fileMalformed(origin, `This is ${found.name}, not ${wanted}.`, found.advice ?? advice);
}
