import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Batch } from "@thaw/contracts";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { testProcessor } from "../../test-support/processor.js";
import type { Processor } from "../media/processor.js";
import type { DataSource } from "./data-source.js";
import { scanSource } from "./scan.js";
import { type OpenContext, openSource } from "./source.js";

const images = fileURLToPath(new URL("../../fixtures/images/", import.meta.url));
const EPOCH = { epoch: 0, seed: 1, microBatchSize: 2, shuffle: false };
let folder: string;
let processor: Processor;
const opened: DataSource[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "thaw-sets-"));
  processor = await testProcessor({ template: null });
});
afterEach(async () => {
  for (const source of opened.splice(0)) await source.close();
});
afterAll(() => rm(folder, { recursive: true }));

const rgb = (): string => "rgb.png";
const captions = (name: string, count: number, image: (at: number) => string = rgb): Promise<void> =>
  writeFile(
    join(folder, name),
    Array.from({ length: count }, (_, at) =>
      JSON.stringify({ id: `${name[0]}${at}`, image: image(at), caption: `a word ${at}` }),
    ).join("\n"),
  );

async function open(options: Parameters<typeof openSource>[0], more: Partial<OpenContext> = {}): Promise<DataSource> {
  const source = await openSource(options, { processor, baseFolder: folder, role: "train", workers: 0, ...more });
  opened.push(source);
  return source;
}

async function ids(source: DataSource, options: Partial<Parameters<DataSource["batches"]>[0]> = {}): Promise<string[]> {
  const all: string[] = [];
  for await (const { samples } of source.batches({ ...EPOCH, ...options })) all.push(...samples.map(({ id }) => id));
  return all;
}

const set = (name: string, more: object = {}): { type: "captions"; path: string; images: string } => ({
  type: "captions",
  path: name,
  images,
  ...more,
});

describe("several sets", () => {
  beforeAll(async () => {
    await captions("a.jsonl", 6);
    await captions("b.jsonl", 3);
  });

  it("are one, each with its own prompt, and resume at any batch in any process", async () => {
    const source = await open([set("a.jsonl", { prompt: "One:" }), set("b.jsonl", { prompt: "Two:" })]);
    expect(await ids(source)).toEqual(["a0", "a1", "a2", "a3", "a4", "a5", "b0", "b1", "b2"]);
    const shuffled = await ids(source, { shuffle: true });
    expect(await ids(source, { shuffle: true, skip: 3 })).toEqual(shuffled.slice(6));
    const [even, odd] = await Promise.all(
      [0, 1].map((index) => ids(source, { shuffle: true, shard: { index, count: 2 } })),
    );
    expect([...even!, ...odd!].sort()).toEqual([...shuffled].sort());
    const [batch] = await collected(source.prompts({ microBatchSize: 9, indices: [0, 8] }));
    const texts = [0, 1].map((row) => {
      const { tokenIds, tokenCount } = batch!;
      return processor.tokenizer.decode([...tokenIds.subarray(row * tokenCount, (row + 1) * tokenCount)]);
    });
    expect(texts).toEqual(["One:", "Two:"]);
  });

  it("take turns by weight, or give as many samples as they say", async () => {
    const weighted = await open([set("a.jsonl", { weight: 1 }), set("b.jsonl", { weight: 2 })]);
    expect((await ids(weighted)).map((id) => id[0]).join("")).toBe("babbabbab");
    const counted = await open([set("a.jsonl", { samples: 2 }), set("b.jsonl")]);
    expect(counted.sampleCount).toBe(5);
    const epochs = await Promise.all([0, 1, 2].map((epoch) => ids(counted, { epoch })));
    expect(epochs.map((all) => all.filter((id) => id.startsWith("a")))).toEqual([
      ["a0", "a1"],
      ["a2", "a3"],
      ["a4", "a5"],
    ]);
    for (const bad of [
      [set("a.jsonl", { weight: 1 }), set("b.jsonl")],
      [set("a.jsonl", { weight: 1, samples: 2 })],
      [],
    ])
      await expect(open(bad)).rejects.toMatchObject({ code: "THAW_DATA_OPTIONS" });
  });
});

async function collected(batches: AsyncIterable<Batch>): Promise<Batch[]> {
  const all: Batch[] = [];
  for await (const batch of batches) all.push(batch);
  return all;
}

describe("a part held out", () => {
  it("shares no sample, picture or concept with training, and stays where it is when a set grows", async () => {
    const picture = (at: number): string => ["rgb.png", "grey.png", "palette.png", "one-bit.png", "rgba.png"][at % 5]!;
    for (const [name, count] of [
      ["c.jsonl", 60],
      ["cc.jsonl", 80],
    ] as const)
      await captions(name, count, picture);
    for (const by of ["item", "sample", "concept"] as const) {
      const of = async (name: string, part: "train" | "held-out"): Promise<string[]> =>
        ids(await open(set(name), { holdOut: { fraction: 0.4, seed: 3, by, part } }));
      const [train, held] = [await of("c.jsonl", "train"), await of("c.jsonl", "held-out")];
      expect(train.length + held.length).toBe(60);
      expect(train.filter((id) => held.includes(id))).toEqual([]);
      const kept = await of("cc.jsonl", "held-out");
      expect(held.filter((id) => !kept.includes(id))).toEqual([]);
      if (by !== "item") continue;
      const pictures = (all: string[]): Set<string> => new Set(all.map((id) => picture(Number(id.slice(1)))));
      expect([...pictures(train)].filter((name) => pictures(held).has(name))).toEqual([]);
    }
    await captions("one.jsonl", 4);
    const none = open(set("one.jsonl"), { holdOut: { fraction: 0.01, seed: 0, by: "item", part: "held-out" } });
    await expect(none).rejects.toMatchObject({ code: "THAW_DATA_EMPTY" });
  });
});

describe("samples that cannot be used", () => {
  const lines = async (): Promise<readonly string[]> => {
    const bytes = await readFile(join(images, "rgb.png"));
    await writeFile(join(folder, "rotten.png"), bytes.fill(0, 60, bytes.length - 40));
    await cp(join(images, "rgb.png"), join(folder, "rgb.png"));
    return [
      { id: "0", image: "rgb.png", caption: "a" },
      "not JSON",
      { id: "2", image: "none.png", caption: "c" },
      { id: "3", image: "rotten.png", caption: "d" },
      { id: "4", image: "rgb.png", caption: "word ".repeat(300) },
      { id: "5", image: "rgb.png", caption: "f" },
    ].map((line) => (typeof line === "string" ? line : JSON.stringify(line)));
  };

  it("are replaced by the next one that can, counted and named; resuming sees the same", async () => {
    await writeFile(join(folder, "bad.jsonl"), (await lines()).join("\n"));
    const source = await open(set("bad.jsonl", { images: folder }), { skips: true });
    const all = await ids(source);
    expect(all).toEqual(["0", "5", "5", "5", "5", "5"]);
    expect(await ids(await open(set("bad.jsonl", { images: folder }), { skips: true }), { skip: 1 })).toEqual(
      all.slice(2),
    );
    expect(
      source
        .skipped()
        .map(({ origin }) => origin.replace(/^.*:/, ""))
        .sort(),
    ).toEqual(["2", "3", "4", "5"]);
    await expect(open(set("bad.jsonl", { images: folder }))).rejects.toMatchObject({
      code: "THAW_DATA_FILE_MALFORMED",
    });
  });

  it("are told by a scan, what only decoding finds too", async () => {
    await writeFile(join(folder, "scan.jsonl"), (await lines()).join("\n"));
    const context = { processor, baseFolder: folder, role: "train", workers: 0 } as const;
    const quick = await scanSource(set("scan.jsonl", { images: folder }), context);
    expect(quick.problems).toHaveLength(3);
    const whole = await scanSource(set("scan.jsonl", { images: folder }), { ...context, decode: true });
    expect([whole.samples, whole.problems.length, whole.items]).toEqual([6, 4, 3]);
  });

  it("that are too long are cut where the policy says so, but no item is", async () => {
    await writeFile(join(folder, "long.jsonl"), JSON.stringify({ image: "rgb.png", caption: "word ".repeat(300) }));
    const source = await open(set("long.jsonl"), { maxLength: 20, tooLong: "truncate" });
    const [batch] = await collected(source.batches(EPOCH));
    expect([batch!.tokenCount, batch!.labels.filter((label) => label !== -100).length > 5]).toEqual([20, true]);
    await expect(open(set("long.jsonl"), { maxLength: 3, tooLong: "truncate" })).rejects.toMatchObject({
      code: "THAW_DATA_TOO_LONG",
    });
  });
});

it("samples of about one length share a micro-batch where that is asked for", async () => {
  const words = Array.from({ length: 40 }, (_, at) => "word ".repeat(1 + ((at * 7) % 30)));
  const records = words.map((caption, at) => JSON.stringify({ id: String(at), image: "rgb.png", caption }));
  await writeFile(join(folder, "lengths.jsonl"), records.join("\n"));
  const source = await open(set("lengths.jsonl"), { groupByLength: true });
  const { grouped, plain } = source.padding(4, 1)!;
  expect(grouped).toBeLessThan(plain / 2);
  const batches = await collected(source.batches({ ...EPOCH, microBatchSize: 4, shuffle: true }));
  const real = batches.flatMap(({ attentionMask }) => [...attentionMask]);
  expect(1 - real.reduce((sum, value) => sum + value, 0) / real.length).toBeCloseTo(grouped, 9);
  expect((await ids(source, { shuffle: true, microBatchSize: 4 })).sort()).toEqual(
    words.map((_, at) => String(at)).sort(),
  );
});
