import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Batch } from "@thaw/contracts";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { testProcessor } from "../../test-support/processor.js";
import type { ChoiceBatch, DataSource, SourceContext } from "./data-source.js";
import type { SourceOptions } from "../formats/source-schema.js";
import type { MediaProcessorModule, Processor } from "../media/processor.js";
import { openMedia, openSource } from "./source.js";

const root = fileURLToPath(new URL("../../../../", import.meta.url));
const images = fileURLToPath(new URL("../../fixtures/images/", import.meta.url));
const EPOCH = { epoch: 0, seed: 1, microBatchSize: 2, shuffle: false };
const CAPTIONS = ["a boat", "the sea", "the sky and the sea", "green", "a red disc"];
const FILES = ["rgb.png", "palette.png", "subsampled.jpg", "grey.png", "turned.jpg"];

async function all(batches: AsyncIterable<Batch>): Promise<Batch[]> {
  const list: Batch[] = [];
  for await (const batch of batches) list.push(batch);
  return list;
}

const ids = (batches: readonly Batch[]): string[] => batches.flatMap(({ samples }) => samples.map(({ id }) => id));
const values = (batch: Batch): Promise<Float32Array[]> =>
  Promise.all(batch.media.map(async (item) => (await item.load())["pixelValues"]!));

const turns = (question: string): unknown => [
  { from: "human", value: question },
  { from: "gpt", value: "green" },
];

/** A processor whose images are made by another module, or with other options. */
const withWorker = (processor: Processor, worker: MediaProcessorModule): Processor => ({
  ...processor,
  media: { image: { ...processor.media.image!, worker } },
});

describe("openSource", () => {
  let folder: string;
  let processor: Processor;
  const opened: DataSource[] = [];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "thaw-source-"));
    processor = await testProcessor({ template: null });
    await writeFile(
      join(folder, "captions.jsonl"),
      CAPTIONS.map((caption, index) => JSON.stringify({ id: `s${index}`, image: FILES[index], caption })).join("\n"),
    );
  });
  afterAll(async () => {
    await Promise.all(opened.map((source) => source.close()));
    await rm(folder, { recursive: true });
  });

  async function open(
    options: SourceOptions = { type: "captions", path: "captions.jsonl", images },
    context: Partial<SourceContext> = {},
  ): Promise<DataSource> {
    const source = await openSource(options, { processor, baseFolder: folder, role: "train", workers: 0, ...context });
    opened.push(source);
    return source;
  }
  const write = (name: string, records: unknown[]): Promise<void> =>
    writeFile(join(folder, name), records.map((record) => JSON.stringify(record)).join("\n"));

  it("gives each choice as the last answer of a row of its own", async () => {
    const conversations = [...(turns("<image>\nWhat?") as unknown[]), { from: "human", value: "And?" }];
    await write("choices.jsonl", [
      { image: FILES[0], question: "Which?", choices: ["green", "the sea"], answer: 1 },
      { image: FILES[1], question: "Of what?", answers: ["a", "b"] },
      { image: FILES[2], conversations, choices: ["red", "blue", "green"], answer: "blue" },
    ]);
    const source = await open(
      { type: "conversations", path: "choices.jsonl", images, choices: "texts" },
      {
        processor: await testProcessor(),
      },
    );
    expect((await source.samples.read(1)).references).toEqual(["a", "b"]);
    const batches: ChoiceBatch[] = [];
    for await (const batch of source.choices({ microBatchSize: 2 })) batches.push(batch);
    expect(batches.map(({ indices, choices }) => [indices, choices])).toEqual([
      [
        [0, 0],
        [0, 1],
      ],
      [
        [2, 2],
        [0, 1],
      ],
      [[2], [2]],
    ]);
    const said = batches.flatMap(({ labels, batchSize, tokenCount }) =>
      Array.from({ length: batchSize }, (_, row) =>
        processor.tokenizer
          .decode([...labels.subarray(row * tokenCount, (row + 1) * tokenCount)].filter((label) => label !== -100))
          .trim(),
      ),
    );
    expect(said).toEqual(["green", "the sea", "red", "blue", "green"]);
    expect(batches.map(({ media }) => media.length)).toEqual([2, 2, 1]);
  });

  it("pads on the right and labels the caption alone", async () => {
    const [batch] = await all((await open()).batches({ ...EPOCH, microBatchSize: 3 }));
    const { tokenIds, labels, attentionMask, batchSize, tokenCount } = batch!;
    expect([batchSize, tokenIds.length, labels.length, attentionMask.length]).toEqual([
      3,
      3 * tokenCount,
      3 * tokenCount,
      3 * tokenCount,
    ]);
    for (let row = 0; row < 3; row += 1) {
      const length = attentionMask
        .subarray(row * tokenCount, (row + 1) * tokenCount)
        .reduce((sum, value) => sum + value, 0);
      const [rowIds, rowLabels] = [tokenIds, labels].map((array) => [
        ...array.subarray(row * tokenCount, (row + 1) * tokenCount),
      ]) as [number[], number[]];
      expect(rowIds.slice(0, 4)).toEqual([332, 332, 332, 332]);
      expect(rowIds.slice(length).every((id) => id === 331)).toBe(true);
      expect(rowLabels.slice(length).every((label) => label === -100)).toBe(true);
      expect(processor.tokenizer.decode(rowLabels.filter((label) => label !== -100))).toBe(CAPTIONS[row]);
      expect(rowLabels[length - 1]).toBe(2);
    }
    expect(batch!.samples).toEqual(CAPTIONS.slice(0, 3).map((reference, index) => ({ id: `s${index}`, reference })));
    expect(batch!.media.map(({ inputs }) => inputs["pixelValues"])).toEqual(
      Array.from({ length: 3 }, () => ({ rows: 4, width: 3 * 14 * 14 })),
    );
    for (const [row, { sample, columns, modality, facts }] of batch!.media.entries()) {
      expect({ sample, modality, facts }).toEqual({ sample: row, modality: "image", facts: { grid: [2, 2] } });
      const own = batch!.tokenIds.subarray(row * batch!.tokenCount, (row + 1) * batch!.tokenCount);
      expect([...columns]).toEqual([...own.keys()].filter((column) => own[column] === 332));
    }
  });

  it("ends an epoch with a smaller batch and skips without reading", async () => {
    const source = await open();
    const shuffled = { ...EPOCH, shuffle: true };
    const whole = await all(source.batches(shuffled));
    expect(whole.map(({ batchSize }) => batchSize)).toEqual([2, 2, 1]);
    expect(ids(await all(source.batches({ ...shuffled, skip: 2 })))).toEqual(ids(whole).slice(4));
    expect(await all(source.batches({ ...shuffled, skip: 3 }))).toEqual([]);
  });

  it("gives each of several processes its part: equally many batches, together all samples in order", async () => {
    const source = await open();
    const parts = await Promise.all(
      [0, 1].map((index) => all(source.batches({ ...EPOCH, shuffle: true, shard: { index, count: 2 } }))),
    );
    const [first, second] = parts.map((batches) => batches.map(({ batchSize }) => batchSize));
    expect([first, second]).toEqual([
      [2, 1],
      [2, 0],
    ]);
    const byTurns = [0, 1].flatMap((round) => parts.map((batches) => batches[round]!));
    expect(ids(byTurns)).toEqual(ids(await all(source.batches({ ...EPOCH, shuffle: true }))));
    const rest = source.batches({ ...EPOCH, shuffle: true, skip: 1, shard: { index: 1, count: 2 } });
    expect((await all(rest)).map(({ batchSize, tokenCount }) => [batchSize, tokenCount])).toEqual([[0, 0]]);
  });

  it("shuffles by seed and epoch alone", async () => {
    const [source, other] = [
      await open("iconify:noto", { baseFolder: root }),
      await open("iconify:noto", { baseFolder: root }),
    ];
    const order = async (from: DataSource, epoch: number, seed: number): Promise<string[]> =>
      ids(await all(from.batches({ epoch, seed, microBatchSize: 500, shuffle: true })));
    const first = await order(source, 0, 7);
    expect(await order(other, 0, 7)).toEqual(first);
    expect(await order(source, 1, 7)).not.toEqual(first);
    expect(await order(source, 0, 8)).not.toEqual(first);
    const known = await Promise.all(Array.from({ length: source.samples.count }, (_, at) => source.samples.read(at)));
    expect([...first].sort()).toEqual(known.map(({ id }) => id).sort());
    expect(new Set(first).size).toBe(1576);
  });

  it("gives the same values in a worker as on this thread", async () => {
    const [here, there] = [await open(), await open(undefined, { workers: 1 })];
    for (const [batch, other] of [
      [(await all(here.batches(EPOCH)))[0]!, (await all(there.batches(EPOCH)))[0]!],
    ] as const) {
      expect(await values(other)).toEqual(await values(batch));
    }
    expect((await here.pixels(3)).values).toEqual((await there.pixels(3)).values);
  });

  it("keys content by bytes and processing, not by path, epoch or sample", async () => {
    const keys = async (source: DataSource): Promise<string[]> =>
      (await all(source.batches(EPOCH))).flatMap(({ media }) => media.map(({ contentKey }) => contentKey));
    const first = await keys(await open());
    expect(new Set(first).size).toBe(5);
    await Promise.all(FILES.map((file) => cp(join(images, file), join(folder, file))));
    expect(await keys(await open({ type: "captions", path: "captions.jsonl" }))).toEqual(first);
    const { worker } = processor.media.image!;
    const other = withWorker(processor, {
      ...worker,
      options: { ...(worker.options as object), resample: "bilinear" },
    });
    for (const key of await keys(await open(undefined, { processor: other }))) expect(first).not.toContain(key);
    for (const key of await keys(await open({ type: "captions", path: "captions.jsonl", exif: false })))
      expect(first).not.toContain(key);
  });

  it("decodes the next batch early once pictures are asked for, and nothing when they are not", async () => {
    let decoded = 0;
    (globalThis as { thawDecoded?: () => void }).thawDecoded = () => (decoded += 1);
    const module =
      "data:text/javascript,export const make = () => ({ process() { globalThis.thawDecoded(); return { " +
      "pixelValues: new Float32Array(2352) } } })";
    const source = await open(undefined, {
      processor: withWorker(processor, { module, exportName: "make", options: null }),
    });
    await all(source.batches(EPOCH));
    expect(decoded).toBe(0);
    const batches = source.batches(EPOCH)[Symbol.asyncIterator]();
    const first = (await batches.next()).value as Batch;
    await values(first);
    await new Promise((done) => setTimeout(done, 100));
    expect(decoded).toBe(4);
    await values((await batches.next()).value as Batch);
    await new Promise((done) => setTimeout(done, 100));
    expect(decoded).toBe(5);
    await batches.return!(undefined);
  });

  it("changes pictures anew in every epoch where it augments, the same for the same seed", async () => {
    const source = await open({
      type: "captions",
      path: "captions.jsonl",
      images,
      augment: { flip: true, crop: 0.5, colour: true },
    });
    const plain = await open();
    expect([source.augmentations, plain.augmentations]).toEqual([["flip", "crop", "colour"], []]);
    const picture = async (from: DataSource, epoch: number): Promise<[string, Float32Array]> => {
      const item = (await all(from.batches({ ...EPOCH, epoch })))[0]!.media[0]!;
      return [item.contentKey, (await item.load())["pixelValues"]!];
    };
    const first = await picture(source, 0);
    expect(await picture(source, 0)).toEqual(first);
    expect((await picture(source, 1))[1]).not.toEqual(first[1]);
    expect((await picture(source, 1))[0]).not.toBe(first[0]);
    expect((await source.pixels(0)).values).toEqual((await plain.pixels(0)).values);
  });

  it("gives each image so many pictures, by turns, where it is told how many views", async () => {
    const augment = { flip: true, crop: 0.5, colour: true };
    const source = await open({ type: "captions", path: "captions.jsonl", images, augment: { ...augment, views: 3 } });
    const anew = await open({ type: "captions", path: "captions.jsonl", images, augment });
    expect([source.views, anew.views]).toEqual([3, undefined]);
    const keys = async (from: DataSource, epoch: number): Promise<string[]> =>
      (await all(from.batches({ ...EPOCH, epoch })))
        .flatMap(({ media }) => media.map(({ contentKey }) => contentKey))
        .sort();
    const epochs = await Promise.all([0, 1, 2, 3, 4, 5, 6].map((epoch) => keys(source, epoch)));
    expect(epochs.slice(3)).toEqual([...epochs.slice(0, 3), epochs[0]]);
    expect(new Set(epochs.slice(0, 3).flat()).size).toBe(new Set(epochs.flat()).size);
    expect(new Set(epochs.slice(0, 3).flat()).size).toBe(3 * epochs[0]!.length);
    // The first views are the pictures of the first epochs, whatever their number.
    expect(await keys(anew, 2)).toEqual(epochs[2]);
    expect(await keys(anew, 3)).not.toEqual(epochs[0]);
  });

  it("asks prompts without answers", async () => {
    const source = await open();
    const [batch, ...rest] = (await all(source.prompts({ microBatchSize: 2, indices: [4, 1] }))) as (Batch & {
      indices: number[];
    })[];
    expect(rest).toEqual([]);
    expect(batch!.indices).toEqual([4, 1]);
    expect(batch!.samples.map(({ reference }) => reference)).toEqual(["a red disc", "the sea"]);
    expect(batch!.labels.every((label) => label === -100)).toBe(true);
    expect(processor.tokenizer.decode([...batch!.tokenIds.subarray(0, batch!.tokenCount)])).toBe("Caption:");
  });

  it("counts samples without images and leaves their inputs out", async () => {
    await write("mixed.jsonl", [
      {
        image: "rgb.png",
        conversations: [
          { from: "human", value: "<image>" },
          { from: "gpt", value: "a" },
        ],
      },
      {
        conversations: [
          { from: "human", value: "Hi" },
          { from: "gpt", value: "b" },
        ],
      },
    ]);
    const source = await open(
      { type: "conversations", path: "mixed.jsonl", images, textOnly: true },
      { processor: await testProcessor() },
    );
    expect(source.textOnlyShare).toBe(0.5);
    const batches = await all(source.batches({ ...EPOCH, microBatchSize: 1 }));
    expect(batches.map(({ media }) => media.length)).toEqual([1, 0]);
    expect(batches.map(({ samples }) => samples[0]!.id)).toEqual([
      join(folder, "mixed.jsonl:1"),
      join(folder, "mixed.jsonl:2"),
    ]);
  });

  it("leaves unseen concepts out of training but knows them", async () => {
    const train = await open("iconify:noto", { baseFolder: root });
    const evaluation = await open("iconify:noto", { baseFolder: root, role: "evaluation" });
    expect([train.sampleCount, (await train.knownConcepts()).size, evaluation.sampleCount]).toEqual([1576, 1779, 1779]);
    expect(
      (await open({ type: "iconify", set: "noto", concepts: "unseen", limit: 5 }, { baseFolder: root })).sampleCount,
    ).toBe(5);
    expect((await open()).sampleCount).toBe(5);
  });

  it("opens pictures to be captioned", async () => {
    const source = await openMedia([join(images, "rgb.png")], { processor, baseFolder: folder, workers: 0 });
    opened.push(source);
    const [batch] = await all(source.prompts({ microBatchSize: 4 }));
    expect(batch!.batchSize).toBe(1);
    expect((await values(batch!))[0]).toHaveLength(2352);
    await expect(openMedia(["none.png"], { processor, baseFolder: folder })).rejects.toMatchObject({
      code: "THAW_DATA_IMAGE_MISSING",
    });
  });

  it("reads sounds beside images, decodes them in workers, and looks at all of them before", async () => {
    const sounds = fileURLToPath(new URL("../../fixtures/sounds/", import.meta.url));
    const template =
      "{% for m in messages %}<s>{% for part in m.content %}{% if part.type == 'text' %}{{ part.text }}{% else %}" +
      "<{{ part.type }}>{% endif %}{% endfor %}\n{% endfor %}{% if add_generation_prompt %}<s>{% endif %}";
    const hearing = await testProcessor({ audio: true, template });
    const records = [
      { audios: ["s16.flac"], images: ["rgb.png"], conversations: turns("<image>See <audio>.") },
      { audios: ["info.mp3", "u8.wav"], conversations: turns("<audio><audio>Which?") },
      { conversations: turns("Neither.") },
    ];
    await write("sounds.jsonl", records);
    const options = { type: "conversations", path: "sounds.jsonl", images, audios: sounds, textOnly: true } as const;
    const source = await open(options, { processor: hearing, workers: 1 });
    const [batch] = await all(source.batches({ ...EPOCH, microBatchSize: 3 }));
    expect(batch!.media.map(({ modality, sample, columns }) => [modality, sample, columns.length])).toEqual([
      ["image", 0, 4],
      ["audio", 0, 8],
      ["audio", 1, 7],
      ["audio", 1, 6],
    ]);
    for (const item of batch!.media.filter(({ modality }) => modality === "audio")) {
      const { inputFeatures } = await item.load();
      expect(inputFeatures!.length).toBe(item.columns.length * 4);
    }
    expect(Object.keys(source.identity!)).toEqual(expect.arrayContaining(["items of sample 1", "items of sample 2"]));
    const heard = await openMedia(["u8.wav"], { processor: hearing, baseFolder: sounds, workers: 0 });
    opened.push(heard);
    expect((await all(heard.prompts({ microBatchSize: 1 })))[0]!.media[0]!.columns).toHaveLength(6);
    const deaf = open({ ...options, path: "sounds.jsonl" }, { processor: await testProcessor() });
    await expect(deaf).rejects.toMatchObject({ code: "THAW_DATA_MODALITY" });
    await writeFile(join(folder, "cut.flac"), (await readFile(join(sounds, "s16.flac"))).subarray(0, 2000));
    await write("cut.jsonl", [{ audio: "cut.flac", caption: "rain" }]);
    await expect(open("cut.jsonl", { processor: hearing })).rejects.toMatchObject({
      code: "THAW_DATA_AUDIO_BROKEN",
      message: expect.stringContaining("cut off. In") as string,
    });
  });

  describe("refuses", () => {
    it.each<[string, unknown[], Partial<SourceContext>, string, string]>([
      [
        "an image that is missing",
        [
          { image: "rgb.png", caption: "a" },
          { image: "none.png", caption: "b" },
        ],
        {},
        "THAW_DATA_IMAGE_MISSING",
        "bad.jsonl:2",
      ],
      ["a sample without an image", [{ caption: "a" }], {}, "THAW_DATA_IMAGE_REQUIRED", "bad.jsonl:1"],
      [
        "a caption longer than the context",
        [
          { image: "rgb.png", caption: "a" },
          { image: "rgb.png", caption: "word ".repeat(40) },
        ],
        { maxLength: 60 },
        "THAW_DATA_TOO_LONG",
        "bad.jsonl:2",
      ],
      [
        "a caption longer than the model has positions for",
        [{ image: "rgb.png", caption: "word ".repeat(400) }],
        {},
        "THAW_DATA_TOO_LONG",
        "bad.jsonl:1",
      ],
      ["an empty set", [], {}, "THAW_DATA_EMPTY", "bad.jsonl"],
    ])("%s, before anything is decoded", async (_, records, context, code, place) => {
      await write("bad.jsonl", records);
      await expect(open({ type: "captions", path: "bad.jsonl", images }, context)).rejects.toMatchObject({
        code,
        message: expect.stringContaining(place),
      });
    });

    it.each([0, 1])("an image that looks whole and is not when it is loaded (%i workers)", async (workers) => {
      const bytes = await readFile(join(images, "rgb.png"));
      await writeFile(join(folder, "rotten.png"), bytes.fill(0, 60, bytes.length - 40));
      await write("broken.jsonl", [{ image: "rotten.png", caption: "a" }]);
      const source = await open({ type: "captions", path: "broken.jsonl" }, { workers });
      const [batch] = await all(source.batches(EPOCH));
      await expect(values(batch!)).rejects.toMatchObject({
        code: "THAW_DATA_IMAGE_BROKEN",
        message: expect.stringMatching(/rotten\.png.*broken\.jsonl:1/),
      });
    });

    it("an image that changes after its key was made, but decodes what the key was made of", async () => {
      await cp(join(images, "rgb.png"), join(folder, "changing.png"));
      await write("changing.jsonl", [{ image: "changing.png", caption: "a" }]);
      const [batch] = await all((await open({ type: "captions", path: "changing.jsonl" })).batches(EPOCH));
      await write("other.jsonl", [{ image: join(images, "rgb.png"), caption: "a" }]);
      const [other] = await all((await open({ type: "captions", path: "other.jsonl" })).batches(EPOCH));
      await cp(join(images, "grey.png"), join(folder, "changing.png"));
      expect(await values(batch!)).toEqual(await values(other!));
      await expect(values(batch!)).rejects.toMatchObject({ code: "THAW_DATA_IMAGE_CHANGED" });
      await rm(join(folder, "changing.png"));
      await expect(values(batch!)).rejects.toMatchObject({ code: "THAW_DATA_IMAGE_MISSING" });
    });

    it("an image processor that cannot be imported", async () => {
      const source = await open(undefined, {
        processor: withWorker(processor, { module: "file:///none.js", exportName: "make", options: null }),
      });
      await expect(source.pixels(0)).rejects.toMatchObject({
        code: "THAW_DATA_WORKER",
        message: expect.stringContaining("file:///none.js"),
      });
    });

    it("to be read after it was closed, and lets a shared pool live for the others", async () => {
      const [source, other] = [await open(undefined, { workers: 1 }), await open(undefined, { workers: 1 })];
      await source.close();
      await source.close();
      await expect(all(source.batches(EPOCH))).rejects.toMatchObject({ code: "THAW_DATA_CLOSED" });
      await expect(source.pixels(0)).rejects.toMatchObject({ code: "THAW_DATA_CLOSED" });
      expect((await other.pixels(0)).values).toHaveLength(2352);
    });
  });
});
