import { spawnSync } from "node:child_process";
import { copyFile, mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { deflateSync, crc32 } from "node:zlib";
import { ThawError } from "../../packages/contracts/dist/index.js";
import { loadSharp } from "../../packages/data/dist/images/decode.js";
import { openSource } from "../../packages/data/dist/index.js";
import { openProcessor } from "../../packages/models/dist/index.js";
import { mutate } from "./support/mutate.mjs";

export const about =
  "Pictures that are hostile, broken, or none: each is read right or refused by its name, soon, in little memory.";
export const count = 2000;
export const timeoutMs = 30_000;

const golden = fileURLToPath(new URL("../../test/fixtures/goldens/llava", import.meta.url));
const FORMATS = ["png", "jpeg", "webp", "gif", "tiff", "avif"];
/** Most that one picture may add to the process. */
const MAX_GROWTH = 1.2 * 2 ** 30;

export async function setUp() {
  const sharp = await loadSharp();
  const pixels = Buffer.from(Array.from({ length: 40 * 30 * 3 }, (_, index) => (index * 37) % 256));
  const image = () => sharp(pixels, { raw: { width: 40, height: 30, channels: 3 } });
  const files = {};
  for (const format of FORMATS) files[format] = await image().toFormat(format).toBuffer();
  return { processor: await openProcessor(golden), files, sharp };
}

/** A PNG of any size whose data are a few bytes. */
function png(width, height, rows = height) {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([1, 0, 0, 0, 0], 8);
  const chunk = (type, data) => {
    const body = Buffer.concat([Buffer.from(type), data]);
    const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
    length.writeUInt32BE(data.length);
    sum.writeUInt32BE(crc32(body));
    return Buffer.concat([length, body, sum]);
  };
  const data = deflateSync(Buffer.alloc(rows * (1 + Math.ceil(width / 8))));
  return Buffer.concat([
    Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
    chunk("IHDR", header),
    chunk("IDAT", data),
    chunk("IEND", Buffer.alloc(0)),
  ]);
}

const svg = (inside, size = 'width="20" height="20"') =>
  Buffer.from(
    `<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" ${size}>${inside}</svg>`,
  );
const write = (bytes) => async (path) => writeFile(path, bytes);

/** By name: makes the file; what it must end as. */
const SPECIAL = {
  "an empty file": [write(""), "refused"],
  "a web page": [write("<!doctype html><html><body>404</body></html>"), "refused"],
  "a git-lfs pointer": [write("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 3\n"), "refused"],
  "a folder": [(path) => mkdir(path), "refused"],
  "a pipe": [(path) => void spawnSync("mkfifo", [path]), "refused"],
  "a device without end": [(path) => symlink("/dev/zero", path), "refused"],
  "a device without bytes": [(path) => symlink("/dev/null", path), "refused"],
  "a file of the kernel": [(path) => symlink("/proc/kmsg", path), "refused"],
  "a link to itself": [(path) => symlink(path, path), "refused"],
  "a link to nowhere": [(path) => symlink("/nowhere/at/all", path), "refused"],
  "a narrow picture": [write(png(1, 60_000)), "any"],
  "a wide picture": [write(png(1_000_000, 1)), "refused"],
  "a picture of a billion pixels": [write(png(32_000, 32_000, 1)), "refused"],
  "a picture whose size is a lie": [write(png(20_000, 6000, 1)), "refused"],
  "a picture of one pixel": [write(png(1, 1)), "read"],
  "a picture of 16 pixels": [write(png(4, 4)), "read"],
  "a drawing": [write(svg('<rect width="9" height="9"/>')), "any"],
  "a drawing without end": [write(svg("", 'width="1e9" height="1e9"')), "refused"],
  "a drawing of files": [write(svg('<image xlink:href="file:///etc/passwd" width="9" height="9"/>')), "any"],
  "a drawing with entities": [
    write(
      `<!DOCTYPE svg [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "${"&a;".repeat(10)}"><!ENTITY c "${"&b;".repeat(10)}">]>` +
        '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><text>&c;</text></svg>',
    ),
    "any",
  ],
  "a drawing with a script": [write(svg("<script>while(true);</script>")), "any"],
};

export async function attempt({ processor, files }, { random, index, folder }) {
  const special = Object.entries(SPECIAL);
  const isSpecial = index < special.length;
  const [name, [make, wanted]] = isSpecial ? special[index] : damaged(random, files);
  const file = join(folder, "no\u001b[31m.png");
  await make(file);
  await copyFile(join(golden, "image0.png"), join(folder, "right.png"));
  const lines = ["no\u001b[31m.png", "right.png"].map((image) => JSON.stringify({ image, caption: "a disc" }));
  await writeFile(join(folder, "data.jsonl"), lines.join("\n"));
  const before = process.memoryUsage.rss();
  let error;
  let values;
  try {
    values = await load(processor, folder);
  } catch (thrown) {
    error = thrown;
  }
  const grown = process.memoryUsage.rss() - before;
  const fault = (outcome, note) => ({ outcome, note: `${name}: ${note}` });
  if (grown > MAX_GROWTH) return fault("lost", `memory grew by ${grown}`);
  if (error === undefined) {
    if (wanted === "refused") return fault("silent", "it was read");
    return values.every(Number.isFinite) ? { outcome: "survived" } : fault("silent", "values are not finite");
  }
  if (!(error instanceof ThawError)) return fault("crashed", error?.stack ?? String(error));
  if (wanted === "read") return fault("lost", error.message);
  return error.message.includes("data.jsonl:1")
    ? { outcome: "survived" }
    : fault("crashed", `not named: ${error.message}`);
}

function damaged(random, files) {
  const format = random.pick(FORMATS);
  return [`a damaged ${format}`, [write(mutate(files[format], random)), "any"]];
}

async function load(processor, folder) {
  const source = await openSource(
    { type: "captions", path: join(folder, "data.jsonl") },
    { processor, baseFolder: folder, role: "train", workers: 0 },
  );
  const values = [];
  try {
    for await (const { media } of source.batches({ epoch: 0, seed: 1, microBatchSize: 2, shuffle: false }))
      for (const item of media)
        for (const input of Object.values(await item.load())) values.push(input[0], input.at(-1));
  } finally {
    await source.close();
  }
  return values;
}
