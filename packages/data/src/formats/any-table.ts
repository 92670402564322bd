import { openTable, styleOf } from "../records/csv.js";
import { headOf } from "../records/byte-file.js";
import { recognise, TELLING_BYTES } from "../records/first-bytes.js";
import { openRecords, type Records } from "../records/records.js";

/** The rows of a file of any table that Thaw reads, told by its first bytes, or of text by its name. */
export async function openAny(path: string): Promise<Records> {
  const { name = "" } = recognise(await headOf(path, TELLING_BYTES)) ?? {};
  if (name.includes("Parquet")) return (await import("./parquet/rows.js")).openParquet(path);
  if (name.includes("Arrow")) return (await import("./arrow/rows.js")).openArrow(path);
  return /\.(?:csv|tsv)(?:\.(?:gz|zst))?$/i.test(path) ? openTable(path, styleOf(path)) : openRecords(path);
}
