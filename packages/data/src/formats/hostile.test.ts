import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, expect, it } from "vitest";
import { openBytes } from "../records/byte-file.js";
import { BUILT_IN_FORMATS } from "./built-in.js";
import { loadSamples } from "./load-samples.js";
import type { DataSetOptions } from "./generated/option-types.js";
import { resolveSource } from "./resolve-source.js";
import { samplesIn } from "./sample-sets.js";

const fixtures = fileURLToPath(new URL("../../fixtures/formats/", import.meta.url));
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "thaw-hostile-"));
});
afterAll(() => rm(folder, { recursive: true }));

async function countOf(type: string, path: string): Promise<number> {
  const resolved = await resolveSource(
    { type, path, ...(type === "coco" ? {} : { textOnly: true }) } as DataSetOptions,
    folder,
    BUILT_IN_FORMATS,
  );
  const format = BUILT_IN_FORMATS.find((one) => one.type === resolved.type)!;
  const { samples } = await loadSamples(format, resolved, { baseFolder: folder, captionPrompt: ":", role: "train" });
  try {
    let count = 0;
    for await (const sample of samplesIn(samples)) count += sample.messages.length > 0 ? 1 : 0;
    return count;
  } finally {
    await samples.close?.();
  }
}

type Change = (bytes: Buffer) => Buffer;

/** The size that the first header of a tar archive states, with the sum that belongs to it. */
const tarSize =
  (text: string): Change =>
  (bytes) => {
    bytes.write(text, 124, 12, "latin1");
    bytes.fill(0x20, 148, 156);
    const sum = bytes.subarray(0, 512).reduce((total, byte) => total + byte, 0);
    bytes.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, 8, "latin1");
    return bytes;
  };

/** Numbers of 4 bytes in the first message become as large as they can be, where they are lengths of lists. */
const arrowLengths: Change = (bytes) => {
  for (let at = 64; at < 400; at += 4) if (bytes.readUInt32LE(at) === 1) bytes.writeUInt32LE(0x7fffffff, at);
  return bytes;
};

/** The count of rows at the end of a Parquet file, in zigzag digits of 7 bits, becomes another one. */
const parquetRows: Change = (bytes) => {
  const footer = bytes.length - 8 - bytes.readUInt32LE(bytes.length - 8);
  // Thrift's compact protocol: the field behind the schema, of the type i64, holds 3 rows
  const at = bytes.indexOf(Buffer.from([0x16, 0x06, 0x19]), footer);
  bytes[at + 1] = 0x7e;
  return bytes;
};

/** A group's column, named behind the schema, becomes one that the schema does not have. */
const parquetColumns: Change = (bytes) => {
  const at = bytes.lastIndexOf("messages");
  bytes.write("massages", at);
  return bytes;
};

it.each<[string, string, string, Change, string]>([
  ["a tar header of a size below 0", "webdataset", "shards/shard-000.tar", tarSize("-0003000\0"), "says no size"],
  ["a tar header of a size that is not a number", "webdataset", "shards/shard-000.tar", tarSize("x\0"), "no size"],
  ["a tar header of a size beyond the file", "webdataset", "shards/shard-000.tar", tarSize("77777777\0"), "cut off"],
  ["lists of an Arrow message that are longer than it", "arrow", "talk.arrow", arrowLengths, "longer than"],
  [
    "an Arrow message of a length below 0",
    "arrow",
    "talk.arrow",
    (bytes) => (bytes.writeInt32LE(-8, 12), bytes),
    "cut",
  ],
  ["a Parquet file of more rows than its groups have", "parquet", "talk-none.parquet", parquetRows, "63 rows"],
  [
    "a Parquet file of other columns than its schema's",
    "parquet",
    "talk-none.parquet",
    parquetColumns,
    "other columns",
  ],
  [
    "a Parquet file whose footer is noise",
    "parquet",
    "talk-none.parquet",
    (bytes) => bytes.fill(0x55, bytes.length - 40, bytes.length - 8),
    "cannot be read",
  ],
])("%s is refused at once", async (_, type, name, change, says) => {
  const path = join(folder, name.replaceAll("/", "-"));
  await writeFile(path, change(await readFile(join(fixtures, name))));
  await expect(countOf(type, path)).rejects.toMatchObject({
    code: "THAW_DATA_FILE_MALFORMED",
    message: expect.stringContaining(says) as string,
  });
});

it("shards are counted before their names are made", async () => {
  await expect(countOf("webdataset", "s-{0..99999999999}.tar")).rejects.toMatchObject({ code: "THAW_DATA_EMPTY" });
});

it("the folders above shards say nothing of their splits", async () => {
  await mkdir(join(folder, "dev/test"), { recursive: true });
  await writeFile(join(folder, "dev/test/s-0.tar"), await readFile(join(fixtures, "shards/shard-000.tar")));
  const counts = ["dev/test", "dev/test/s-0.tar", "dev/test/s-{0..0}.tar"].map((path) => countOf("webdataset", path));
  expect(new Set(await Promise.all(counts)).size).toBe(1);
});

it("a file that is packed to fill a disk is refused, and nothing of it stays", async () => {
  const path = join(folder, "bomb.jsonl.gz");
  await writeFile(path, gzipSync(Buffer.alloc(2_000_000)));
  await expect(openBytes(path, 1000)).rejects.toMatchObject({
    code: "THAW_DATA_FILE_UNREADABLE",
    message: expect.stringContaining("unpacks to more than") as string,
  });
  await (await openBytes(path)).close();
});

it("a COCO file with two faults ends with one of them, and no rejection is left over", async () => {
  const path = join(folder, "two.json");
  await writeFile(path, '{"images": [{} {}]}');
  await expect(countOf("coco", path)).rejects.toMatchObject({ code: "THAW_DATA_FILE_MALFORMED" });
});
