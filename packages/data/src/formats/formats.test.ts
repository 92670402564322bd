import { execFileSync } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import zlib, { gzipSync } from "node:zlib";
import type { MediaReference, Sample, SampleSet } from "@thaw/contracts";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readMedia } from "../media/stored-bytes.js";
import { BUILT_IN_FORMATS } from "./built-in.js";
import { loadSamples } from "./load-samples.js";
import { resolveSource } from "./resolve-source.js";
import { samplesIn } from "./sample-sets.js";
import type { SourceOptions } from "./source-schema.js";
import type { DataSetOptions } from "./generated/option-types.js";

const fixtures = fileURLToPath(new URL("../../fixtures/formats/", import.meta.url));
const images = fileURLToPath(new URL("../../fixtures/images/", import.meta.url));
const FILES = ["rgb.png", "palette.png", "subsampled.jpg", "grey.png"];
const CAPTIONS = ["a boat", "the sea, the sky", 'green "glass"', "café"];
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "thaw-formats-"));
});
afterAll(() => rm(folder, { recursive: true }));

async function put(name: string, content: string | Uint8Array): Promise<string> {
  await mkdir(join(folder, name, ".."), { recursive: true });
  await writeFile(join(folder, name), content);
  return join(folder, name);
}

/** Samples of a set as it is opened by a run, with the bytes of their items as names of the files that have them. */
async function read(options: SourceOptions, role: "train" | "evaluation" = "train"): Promise<unknown[]> {
  const resolved = await resolveSource(options, folder, BUILT_IN_FORMATS);
  const format = BUILT_IN_FORMATS.find(({ type }) => type === resolved.type)!;
  const { samples } = await loadSamples(format, resolved, { baseFolder: folder, captionPrompt: "Caption:", role });
  try {
    return await shown(samples);
  } finally {
    await samples.close?.();
  }
}

async function shown(samples: SampleSet): Promise<unknown[]> {
  const known = new Map<string, string>();
  for (const file of FILES) known.set((await readFile(join(images, file))).toString("base64"), file);
  const all: unknown[] = [];
  for await (const { media, reference, messages } of samplesIn(samples)) {
    const files = [];
    for (const { source } of media) {
      const bytes = Buffer.from(await readMedia(source as MediaReference, 1e6));
      files.push(known.get(bytes.toString("base64")) ?? `${bytes.length} other bytes`);
    }
    all.push([...files, textOf(messages), reference]);
  }
  return all;
}

const textOf = (messages: Sample["messages"]): string =>
  messages
    .filter(({ role }) => role !== "assistant")
    .map(({ content }) => content.map((part) => (part.type === "text" ? part.text : `<${part.type}>`)).join(""))
    .join(" | ");

const captioned = (...indices: number[]): unknown[] =>
  indices.map((index) => [FILES[index], "<image>Caption:", CAPTIONS[index]]);
const TALK = [
  ["rgb.png", "grey.png", "<image><image>Differ?", "Yes."],
  ["Hi", "Hello."],
  ["palette.png", "<image>What?", "A disc."],
];
const SHARDS = ["00", "01", "10", "11", "20", "21"].map((key, index) => [
  FILES[index % 4],
  "<image>Caption:",
  `sample ${key}`,
]);

describe("a format reads what Python's libraries wrote", () => {
  it.each<[string, string, unknown[], object?, ("train" | "evaluation")?]>([
    ["parquet", "captions.parquet", captioned(0, 1, 2, 3)],
    ["parquet", "hub", captioned(0, 1, 2)],
    ["parquet", "hub", captioned(3), {}, "evaluation"],
    ["parquet", "hub", captioned(3), { split: "test" }],
    ["parquet", "paths.parquet", captioned(0)],
    ["parquet", "talk-none.parquet", TALK, { textOnly: true }],
    ["parquet", "talk-snappy.parquet", TALK, { textOnly: true }],
    ["parquet", "talk-gzip.parquet", TALK, { textOnly: true }],
    ["parquet", "talk-zstd.parquet", TALK, { textOnly: true }],
    ["parquet", "captions.parquet", [[FILES[3], "<image>Kind?", "water"]], { columns: { caption: "label" }, limit: 4 }],
    ["arrow", "saved", captioned(0, 1, 2)],
    ["arrow", "saved", captioned(3), { split: "test" }],
    ["arrow", "saved-talk", TALK, { textOnly: true }],
    ["arrow", "talk.arrow", TALK, { textOnly: true }],
    ["imagefolder", "imagefolder", captioned(0, 1, 2)],
    ["imagefolder", "imagefolder", captioned(3), {}, "evaluation"],
    ["webdataset", "shards", SHARDS],
    ["webdataset", "shards/shard-{000..001}.tar", SHARDS.slice(0, 4)],
  ])("%s: %s", async (type, path, expected, more = {}, role = "train") => {
    const options = { type, path: join(fixtures, path), ...more } as DataSetOptions & { path: string };
    if (!path.includes("{")) expect((await resolveSource(options.path, folder, BUILT_IN_FORMATS)).type).toBe(type);
    if ("columns" in more) {
      const asked = await read({ ...options, prompt: "Kind?" } as DataSetOptions, role);
      expect(asked.map((row) => (row as unknown[]).at(-1))).toEqual(["ship", "water", "ship", "water"]);
      expect(asked.at(-1)).toEqual(expected[0]);
    } else expect(await read(options, role)).toEqual(expected);
  });
});

const LINES = FILES.map((file, index) => JSON.stringify({ image: join(images, file), caption: CAPTIONS[index] }));
const QUOTED = FILES.map((file, index) => `${join(images, file)},"${CAPTIONS[index]!.replaceAll('"', '""')}"`);

describe("a format reads what is written by hand", () => {
  it("JSONL and JSON packed by gzip, and by zstd where Node has it", async () => {
    const jsonl = await put("set.jsonl.gz", gzipSync(LINES.join("\n")));
    expect(await read(jsonl)).toEqual(captioned(0, 1, 2, 3));
    expect(await read(await put("set.json.gz", gzipSync(`[${LINES.join(", ")}]`)))).toEqual(captioned(0, 1, 2, 3));
    const { zstdCompressSync } = zlib as { readonly zstdCompressSync?: (bytes: Uint8Array) => Uint8Array };
    const packed = zstdCompressSync?.(Buffer.from(LINES.join("\n"))) ?? Buffer.from([0x28, 0xb5, 0x2f, 0xfd]);
    const opened = read({ type: "captions", path: await put("set.jsonl.zst", packed) });
    if (zstdCompressSync === undefined) await expect(opened).rejects.toMatchObject({ code: "THAW_DATA_ZSTD" });
    else expect(await opened).toEqual(captioned(0, 1, 2, 3));
  });

  it("CSV with quotes and line breaks, and TSV where quotes are characters", async () => {
    expect(await read(await put("set.csv", `\uFEFFimage,caption\r\n${QUOTED.join("\r\n")}\r\n`))).toEqual(
      captioned(0, 1, 2, 3),
    );
    const rows = FILES.map((file, index) => `${file}\t${CAPTIONS[index]}`);
    const tsv = await put("set.tsv", `jpg\ttxt\n${rows.join("\n")}\n`);
    const columns = { image: "jpg", caption: "txt" };
    expect(await read({ type: "csv", path: tsv, images, columns })).toEqual(captioned(0, 1, 2, 3));
    const asked = await put("asked.csv", `image,question,answer\n${join(images, "rgb.png")},"Two\nlines?",yes\n`);
    expect(await read(asked)).toEqual([["rgb.png", "<image>Two\nlines?", "yes"]]);
  });

  it("COCO's captions, with several per image and in any order of keys", async () => {
    const annotations = CAPTIONS.map((caption, id) => ({ image_id: id % 2, id, caption: `${caption} [{` }));
    const pictures = [0, 1].map((id) => ({ id, file_name: FILES[id], captions: [["x"]] }));
    const path = await put("coco.json", JSON.stringify({ annotations, info: { images: [1] }, images: pictures }));
    expect((await resolveSource(path, folder, BUILT_IN_FORMATS)).type).toBe("coco");
    expect(await read({ type: "coco", path, images })).toEqual(
      CAPTIONS.map((caption, index) => [FILES[index % 2], "<image>Caption:", `${caption} [{`]),
    );
  });

  it("COCO's captions together: a sample per picture, with all of them as references", async () => {
    const annotations = CAPTIONS.map((caption, id) => ({ image_id: 9 - (id % 2), id, caption }));
    const pictures = [9, 8].map((id) => ({ id, file_name: FILES[9 - id] }));
    const path = await put("together.json", JSON.stringify({ annotations, images: pictures }));
    const format = BUILT_IN_FORMATS.find(({ type }) => type === "coco")!;
    const options = await resolveSource({ type: "coco", path, images, together: true }, folder, BUILT_IN_FORMATS);
    const context = { baseFolder: folder, captionPrompt: "Caption:", role: "evaluation" } as const;
    const { samples } = await loadSamples(format, options, context);
    const all: Sample[] = [];
    for await (const sample of samplesIn(samples)) all.push(sample);
    expect(all.map(({ id, reference, references }) => [id, reference, references])).toEqual([
      ["9", CAPTIONS[0], [CAPTIONS[0], CAPTIONS[2]]],
      ["8", CAPTIONS[1], [CAPTIONS[1], CAPTIONS[3]]],
    ]);
    const prints = [await samples.fingerprint!(0, 1), await samples.fingerprint!(1, 2)];
    expect(new Set(prints).size).toBe(2);
    await samples.close?.();
  });

  it("questions with answers of several people, in JSONL and in a cell of CSV", async () => {
    const image = join(images, "rgb.png");
    const jsonl = await put("vqa.jsonl", JSON.stringify({ image, question: "Two?", answers: ["no", "yes", "yes"] }));
    expect((await resolveSource(jsonl, folder, BUILT_IN_FORMATS)).type).toBe("conversations");
    expect(await read(jsonl)).toEqual([["rgb.png", "<image>Two?", "yes"]]);
    const cell = '"[""no"", ""yes"", ""yes""]"';
    const csv = await put("vqa.csv", `image,q,people\n${image},Two?,${cell}\n`);
    const columns = { image: "image", question: "q", answers: "people" };
    expect(await read({ type: "csv", path: csv, columns })).toEqual([["rgb.png", "<image>Two?", "yes"]]);
  });

  it("a folder of pictures beside texts, and one with a folder per label", async () => {
    for (const [index, file] of FILES.entries()) {
      await put(`plain/${file}`, await readFile(join(images, file)));
      await put(`plain/${file.replace(/\.\w+$/, ".txt")}`, `${CAPTIONS[index]}\n`);
      await put(`labels/train/red_disc/${file}`, await readFile(join(images, file)));
    }
    const plain = await read(join(folder, "plain"));
    expect(new Set(plain.map(String))).toEqual(new Set(captioned(0, 1, 2, 3).map(String)));
    const labels = await read({ type: "imagefolder", path: "labels" });
    expect(labels.map((row) => (row as unknown[]).slice(1))).toEqual(FILES.map(() => ["<image>Caption:", "red disc"]));
    await put("plain/alone.png", await readFile(join(images, "rgb.png")));
    await expect(read({ type: "folder", path: "plain" })).rejects.toMatchObject({
      code: "THAW_DATA_SAMPLE_INVALID",
      message: expect.stringContaining("alone.txt") as string,
    });
  });

  it("what LLaMA-Factory's dataset_info.json names, with its columns and tags", async () => {
    await put(
      "lf/alpaca.json",
      JSON.stringify([{ instruction: "Say", input: "hi", output: "hello", history: [["a", "b"]] }]),
    );
    const talk = [
      { who: "asker", what: "<image>What?" },
      { who: "bot", what: "A boat." },
    ];
    await put("lf/talk.jsonl", JSON.stringify({ turns: talk, pictures: [join(images, "rgb.png")], sys: "Be brief." }));
    const info = {
      plain: { file_name: "alpaca.json", columns: { history: "history" } },
      tagged: {
        file_name: "talk.jsonl",
        formatting: "sharegpt",
        columns: { messages: "turns", images: "pictures", system: "sys" },
        tags: { role_tag: "who", content_tag: "what", user_tag: "asker", assistant_tag: "bot" },
      },
      ranked: { file_name: "alpaca.json", ranking: true },
      hub: { hf_hub_url: "llamafactory/x" },
    };
    await put("lf/dataset_info.json", JSON.stringify(info));
    const options = { type: "llama-factory", path: "lf", textOnly: true } as const;
    expect(await read({ ...options, dataset: "plain, tagged" })).toEqual([
      ["a | Say\nhi", "hello"],
      ["rgb.png", "Be brief. | <image>What?", "A boat."],
    ]);
    for (const [dataset, code, word] of [
      ["ranked", "THAW_DATA_FILE_MALFORMED", "ranking"],
      ["hub", "THAW_DATA_FILE_MALFORMED", "file_name"],
      ["tageed", "THAW_DATA_SET_UNKNOWN", "tagged"],
    ] as const)
      await expect(read({ ...options, dataset })).rejects.toMatchObject({
        code,
        message: expect.stringContaining(word) as string,
      });
  });
});

describe("a wrong format is named", () => {
  it.each<[string, () => Promise<SourceOptions>, string]>([
    ["Parquet", () => Promise.resolve({ type: "captions", path: join(fixtures, "captions.parquet") }), "type: parquet"],
    ["Arrow", () => Promise.resolve({ type: "captions", path: join(fixtures, "talk.arrow") }), "type: arrow"],
    [
      "a tar archive",
      () => Promise.resolve({ type: "csv", path: join(fixtures, "shards/shard-000.tar") }),
      "type: webdataset",
    ],
    ["a web page", async () => put("page.jsonl", "<!DOCTYPE html><html>"), "fetch it again"],
    [
      "a cut tar",
      async () => put("cut.tar", (await readFile(join(fixtures, "shards/shard-000.tar"))).subarray(0, 3000)),
      "cut off",
    ],
    [
      "a cut Parquet",
      async () => put("cut.parquet", (await readFile(join(fixtures, "captions.parquet"))).subarray(0, 9000)),
      "cut.parquet",
    ],
    [
      "a column",
      async () => ({ type: "csv", path: await put("b.csv", "a,b\n1,2\n"), columns: { image: "c" } }),
      "Columns are a, b",
    ],
    ["a short row", async () => put("short.csv", "image,caption\nx\n"), "row 2"],
    ["an open quote", async () => put("open.csv", 'image,caption\nx,"y\n'), "not closed"],
    [
      "a split",
      () => Promise.resolve({ type: "parquet", path: join(fixtures, "hub"), split: "dev" }),
      "split can be t",
    ],
  ])("%s", async (_, options, advice) => {
    await expect(options().then((given) => read(given))).rejects.toMatchObject({
      code: expect.stringMatching(/^THAW_DATA_/) as string,
      message: expect.stringContaining(advice) as string,
    });
  });
});

it.skipIf(process.platform === "win32")("a name that nobody recognises says what it is", async () => {
  execFileSync("mkdir", ["-p", join(folder, "empty")]);
  await expect(read(join(folder, "empty"))).rejects.toMatchObject({ code: "THAW_DATA_KIND_UNKNOWN" });
  await expect(read(await put("x.zip", "PK\u0003\u0004"))).rejects.toMatchObject({
    message: expect.stringContaining("zip") as string,
  });
});
