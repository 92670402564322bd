import { stat } from "node:fs/promises";
import { setEmpty } from "../errors/files.js";
import { headOf } from "../records/byte-file.js";
import { recognise, TELLING_BYTES } from "../records/first-bytes.js";
import { openRecords } from "../records/records.js";

const TABLE = /\.(?:csv|tsv)(?:\.(?:gz|zst))?$/i;

/**
 * The first object of a file of JSON; undefined for what is something else. @throws THAW_DATA_EMPTY,
 * THAW_DATA_FILE_MALFORMED, THAW_DATA_FILE_UNREADABLE
 */
export async function firstRecord(path: string): Promise<Readonly<Record<string, unknown>> | undefined> {
  if (TABLE.test(path) || (await stat(path)).isDirectory() || !(await isText(path))) return undefined;
  const records = await openRecords(path);
  try {
    if (records.count === 0) throw setEmpty(path, "Write one sample a line.");
    return (await records.read(0)).value;
  } finally {
    await records.close();
  }
}

async function isText(path: string): Promise<boolean> {
  const { name = "" } = recognise(await headOf(path, TELLING_BYTES)) ?? {};
  return !/Parquet|Arrow|tar archive/.test(name);
}
