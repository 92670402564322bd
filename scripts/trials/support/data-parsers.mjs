/** Readers of data sets, each sample and each item of them; see `parsers.mjs`. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { scanSource } from "../../../packages/data/dist/index.js";
import { expect, judgeError } from "./expect.mjs";

const golden = fileURLToPath(new URL("../../../test/fixtures/goldens/llava", import.meta.url));
const formats = fileURLToPath(new URL("../../../packages/data/fixtures/formats", import.meta.url));
const PICTURES = ["image0.png", "image1.png"].map((name) => join(golden, name));
const CAPTIONS = [
  { image: "image0.png", caption: "a disc" },
  { image: "image1.png", caption: "two" },
];
const TALK = [
  {
    messages: [
      { role: "user", content: "<image>What?" },
      { role: "assistant", content: "A disc." },
    ],
    images: ["image1.png"],
  },
  {
    id: "3",
    image: "image1.png",
    conversations: [
      { from: "human", value: "<image>\nWhat?" },
      { from: "gpt", value: "A" },
    ],
  },
];
const COCO = {
  images: [{ id: 1, file_name: "image0.png" }],
  annotations: [{ id: 7, image_id: 1, caption: "a disc" }],
};
const INFO = {
  talk: {
    file_name: "talk.json",
    formatting: "sharegpt",
    columns: { messages: "turns", images: "pictures", system: "sys" },
    tags: { role_tag: "who", content_tag: "what", user_tag: "asker", assistant_tag: "bot" },
  },
  plain: { file_name: "plain.json", columns: { history: "history" } },
};
const TURNS = [
  {
    turns: [
      { who: "asker", what: "<image>What?" },
      { who: "bot", what: "A disc." },
    ],
    pictures: ["image0.png"],
    sys: "Be brief.",
  },
];
const PLAIN = [{ instruction: "Say", input: "hi", output: "hello", history: [["a", "b"]] }];
const HOSTILE_NUMBERS = ["-0001000", "77777777777", "\u0080\0\0\0\u00ff\u00ff\u00ff\u00ff", "x", "\0", "00000000000"];
const BLOCK = 512;

/** By name, as `parsers` gives them. */
export async function dataParsers(processor) {
  /** A file at a new path each time: readers of Parquet keep what they read of one. */
  const set = (file, bytes, { links = [], numbered = false, options = {}, repair }) => ({
    name: numbered ? (index) => file.replace(".", `${index}.`) : file,
    bytes,
    links,
    ...(repair === undefined ? {} : { repair }),
    read: async (folder, name) => {
      const { textOnly = true, ...rest } = options;
      const given = { path: join(folder, name), ...(textOnly ? { textOnly } : {}), ...rest };
      const report = await scanSource(given, {
        processor,
        baseFolder: folder,
        role: "train",
        workers: 0,
        decode: true,
      });
      expect(report.samples > 0, "there is no sample");
      for (const { error } of report.problems) judgeError(error);
      return report.problems.length === 0;
    },
  });
  const text = (content) => Buffer.from(content);
  const lines = (list) => text(list.map((line) => JSON.stringify(line)).join("\n"));
  const fixture = (name) => readFile(join(formats, name));
  const binary = async (type, name, more = {}) =>
    set(name.split("/").at(-1), await fixture(name), { options: { type }, numbered: true, ...more });
  const captions = { options: { type: "captions", textOnly: false }, links: PICTURES };
  const talk = { options: { type: "conversations" }, links: PICTURES };
  const info = (dataset) => ({ options: { type: "llama-factory", dataset }, links: PICTURES });
  const parsers = {
    captions: set("data.jsonl", lines(CAPTIONS), captions),
    "captions list": set("data.json", text(JSON.stringify(CAPTIONS)), captions),
    "captions packed": set("data.jsonl.gz", lines(CAPTIONS), {
      ...captions,
      repair: (bytes, random) => (random.number() < 0.5 ? gzipSync(bytes) : damagedGzip(bytes, random)),
    }),
    conversations: set("data.jsonl", lines(TALK), talk),
    csv: set("data.csv", text('image,caption\nimage0.png,"a ""disc"""\nimage1.png,two\n'), {
      options: { type: "csv", textOnly: false },
      links: PICTURES,
    }),
    tsv: set("data.tsv", text("image\tquestion\tanswer\nimage0.png\tWhat?\ta disc\nimage1.png\tWhat?\ttwo\n"), {
      options: { type: "csv" },
      links: PICTURES,
    }),
    coco: set("data.json", text(JSON.stringify(COCO)), {
      options: { type: "coco", textOnly: false },
      links: PICTURES,
    }),
    "dataset info": set("dataset_info.json", text(JSON.stringify(INFO)), {
      ...info("talk, plain"),
      links: [...PICTURES, ["talk.json", JSON.stringify(TURNS)], ["plain.json", JSON.stringify(PLAIN)]],
    }),
    "tagged turns": listed("talk", TURNS),
    alpaca: listed("plain", PLAIN),
    parquet: await binary("parquet", "captions.parquet"),
    "parquet snappy": await binary("parquet", "talk-snappy.parquet"),
    "parquet gzip": await binary("parquet", "talk-gzip.parquet"),
    "parquet zstd": await binary("parquet", "talk-zstd.parquet"),
    arrow: await binary("arrow", "talk.arrow"),
    "arrow stream": await binary("arrow", "saved-talk/data-00000-of-00001.arrow"),
    tar: await binary("webdataset", "shards/shard-000.tar", { repair: repairTar }),
  };
  function listed(name, rows) {
    const file = set(`${name}.json`, text(JSON.stringify(rows)), info(name));
    return {
      ...file,
      links: [...PICTURES, ["dataset_info.json", JSON.stringify(INFO)]],
      read: (folder) => file.read(folder, "dataset_info.json"),
    };
  }
  return parsers;
}

function damagedGzip(bytes, random) {
  const packed = gzipSync(bytes);
  packed[random.below(packed.length)] ^= 1 << random.below(8);
  return packed;
}

/** Changes some numbers of headers, and makes their sums right again in most cases. */
function repairTar(bytes, random) {
  const result = Buffer.from(bytes);
  for (let at = 0; at + BLOCK <= result.length; at += BLOCK) {
    if (result.toString("latin1", at + 257, at + 262) !== "ustar") continue;
    if (random.number() < 0.2) result.write(`${random.pick(HOSTILE_NUMBERS)}`, at + 124, 12, "latin1");
    if (random.number() < 0.1) result.write(random.pick(["x", "L", "K", "5", "2", "g"]), at + 156, 1, "latin1");
    if (random.number() < 0.1) result.write("../../../etc/passwd.jpg\0", at, 100, "latin1");
    if (random.number() < 0.1) continue;
    result.fill(0x20, at + 148, at + 156);
    const sum = result.subarray(at, at + BLOCK).reduce((total, byte) => total + byte, 0);
    result.write(`${sum.toString(8).padStart(6, "0")}\0 `, at + 148, 8, "latin1");
  }
  return result;
}
