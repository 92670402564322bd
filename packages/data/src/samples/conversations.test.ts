import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { captionSample } from "./captions.js";
import { conversationSample } from "./conversations.js";
import { openRecords } from "../records/records.js";
import { BUILT_IN_FORMATS } from "../formats/built-in.js";
import { resolveSource as resolveAmong } from "../formats/resolve-source.js";
import type { SourceOptions } from "../formats/source-schema.js";

const resolveSource = (options: SourceOptions, base: string): ReturnType<typeof resolveAmong> =>
  resolveAmong(options, base, BUILT_IN_FORMATS);
const folder = resolve("/pictures");
const folders = { image: folder, audio: resolve("/sounds") };
const origin = "train.jsonl:7";
const read = (value: Record<string, unknown>, textOnly = false): ReturnType<typeof conversationSample> =>
  conversationSample({ value, origin }, { folders, textOnly });
const text = (value: string): { type: "text"; text: string } => ({ type: "text", text: value });
const image = { type: "image" };
const answer = { role: "assistant", content: [text("A boat.")] };
const gpt = { from: "gpt", value: "A boat." };

describe("conversationSample reads", () => {
  it.each<[string, Record<string, unknown>, unknown]>([
    [
      "LLaVA's form",
      { id: "a", image: "a.png", conversations: [{ from: "human", value: "<image>\nWhat?" }, gpt] },
      {
        id: "a",
        messages: [{ role: "user", content: [image, text("What?")] }, answer],
        media: [{ modality: "image", source: { kind: "file", path: join(folder, "a.png") } }],
        reference: "A boat.",
      },
    ],
    [
      "an image after the text",
      { image: "a.png", conversations: [{ from: "human", value: "What?\n<image>" }, gpt] },
      { id: origin, messages: [{ role: "user", content: [text("What?"), image] }, answer] },
    ],
    [
      "ShareGPT's form with two images",
      {
        messages: [
          { role: "system", content: "Be brief." },
          { role: "user", content: "<image><image>Differ?" },
          answer,
        ],
        images: ["a.png", { path: "b.png" }],
      },
      {
        messages: [
          { role: "system", content: [text("Be brief.")] },
          { role: "user", content: [image, image, text("Differ?")] },
          answer,
        ],
        media: [
          { modality: "image", source: { path: join(folder, "a.png") } },
          { modality: "image", source: { path: join(folder, "b.png") } },
        ],
      },
    ],
    [
      "parts with images in place",
      { messages: [{ role: "user", content: [{ type: "image", image: "a.png" }, text("What?")] }, answer] },
      {
        messages: [{ role: "user", content: [image, text("What?")] }, answer],
        media: [{ modality: "image", source: { path: join(folder, "a.png") } }],
      },
    ],
    [
      "images without placeholders, put first",
      { messages: [{ role: "user", content: "What?" }, answer], images: ["a.png"] },
      { messages: [{ role: "user", content: [image, text("What?")] }, answer] },
    ],
    [
      "an image as data",
      { image: "data:image/png;base64,AQID", conversations: [{ from: "human", value: "<image>" }, gpt] },
      {
        messages: [{ role: "user", content: [image] }, answer],
        media: [{ modality: "image", source: { kind: "bytes", bytes: Buffer.from([1, 2, 3]) } }],
      },
    ],
  ])("%s", (_, value, expected) => {
    expect(read(value)).toMatchObject(expected as object);
  });

  it.each<[string, Record<string, unknown>]>([
    ["LLaMA-Factory's", { messages: [{ role: "user", content: "<audio>What?" }, answer], audios: ["a.wav"] }],
    ["LLaVA's", { audio: "a.wav", conversations: [{ from: "human", value: "<audio>\nWhat?" }, gpt] }],
    ["one without a place", { audios: [{ path: "a.wav" }], conversations: [{ from: "human", value: "What?" }, gpt] }],
    ["Qwen's", { messages: [{ role: "user", content: [{ type: "audio", audio: "a.wav" }, text("What?")] }, answer] }],
    [
      "vLLM's",
      {
        messages: [
          { role: "user", content: [{ type: "audio_url", audio_url: { url: "a.wav" } }, text("What?")] },
          answer,
        ],
      },
    ],
  ])("sound in a form: %s", (_, value) => {
    expect(read(value)).toMatchObject({
      messages: [{ role: "user", content: [{ type: "audio" }, text("What?")] }, answer],
      media: [{ modality: "audio", source: { kind: "file", path: join(folders.audio, "a.wav") } }],
    });
  });

  it("OpenAI's sound, in place", () => {
    const content = [{ type: "input_audio", input_audio: { data: "AQID", format: "wav" } }, text("What?")];
    expect(read({ messages: [{ role: "user", content }, answer] })).toMatchObject({
      messages: [{ content: [{ type: "audio" }, text("What?")] }, answer],
      media: [{ modality: "audio", source: { kind: "bytes", bytes: Buffer.from([1, 2, 3]) } }],
    });
  });

  it("images and sounds in order of their places, each kind from its own list", () => {
    const { messages, media } = read({
      images: ["a.png", "b.png"],
      audios: ["a.wav"],
      conversations: [{ from: "human", value: "<image><audio>Both <image>?" }, gpt],
    });
    expect(messages[0]!.content.map(({ type }) => type)).toEqual(["image", "audio", "text", "image", "text"]);
    expect(media.map(({ modality, source }) => [modality, source.kind === "file" && source.path])).toEqual([
      ["image", join(folder, "a.png")],
      ["audio", join(folders.audio, "a.wav")],
      ["image", join(folder, "b.png")],
    ]);
    const leading = read({ image: "a.png", audio: "a.wav", conversations: [{ from: "human", value: "Hi" }, gpt] });
    expect(leading.messages[0]!.content.map(({ type }) => type)).toEqual(["image", "audio", "text"]);
  });

  it.each<[string, string, unknown]>([
    ["blanks in a sentence", "see<image> here <image>.", [text("see"), image, text(" here "), image, text(".")]],
    ["a blank beside a placeholder in a sentence", "see <image> here", [text("see "), image, text(" here")]],
    ["no blank where a placeholder begins the text", "<image>\n\nTask: x ", [image, text("Task: x ")]],
    ["no blank where placeholders begin and end it", "<image> <image>\nA\n<image>", [image, image, text("A"), image]],
  ])("%s", (_, value, content) => {
    const images = value
      .split("<image>")
      .slice(1)
      .map(() => "a.png");
    expect(read({ images, conversations: [{ from: "human", value }, gpt] }).messages[0]?.content).toEqual(content);
  });

  it("a system prompt of a key of its own, weights of answers, and roles that the data set names", () => {
    const { messages } = conversationSample(
      {
        value: {
          image: "a.png",
          system: "Be brief.",
          conversations: [
            { from: "human", value: "<image>" },
            { from: "bot", value: "No.", weight: 0 },
            { from: "human", value: "Sure?" },
            { from: "bot", value: "Yes.", weight: 1, loss: true },
          ],
        },
        origin,
      },
      { folders, textOnly: false, roles: { bot: "assistant" } },
    );
    expect(messages.map(({ role, isLearned }) => [role, isLearned])).toEqual([
      ["system", undefined],
      ["user", undefined],
      ["assistant", false],
      ["user", undefined],
      ["assistant", undefined],
    ]);
  });

  it("text alone where the data set accepts it", () => {
    expect(read({ conversations: [{ from: "human", value: "Hi" }, gpt] }, true).media).toEqual([]);
  });
});

describe("conversationSample refuses", () => {
  it.each<[string, Record<string, unknown>, string]>([
    ["a sample without an image", { conversations: [{ from: "human", value: "Hi" }, gpt] }, "THAW_DATA_IMAGE_REQUIRED"],
    [
      "a placeholder without an image",
      { conversations: [{ from: "human", value: "<image>\nHi" }, gpt] },
      "THAW_DATA_PLACEHOLDER_MISMATCH",
    ],
    [
      "more images than placeholders",
      { images: ["a.png", "b.png"], conversations: [{ from: "human", value: "<image>\nHi" }, gpt] },
      "THAW_DATA_PLACEHOLDER_MISMATCH",
    ],
    [
      "a placeholder of a sound without one",
      { image: "a.png", conversations: [{ from: "human", value: "<audio>Hi" }, gpt] },
      "THAW_DATA_PLACEHOLDER_MISMATCH",
    ],
    [
      "more sounds than placeholders",
      { audios: ["a.wav", "b.wav"], conversations: [{ from: "human", value: "<audio>Hi" }, gpt] },
      "THAW_DATA_PLACEHOLDER_MISMATCH",
    ],
    [
      "an image that has no question to stand before",
      { image: "a.png", conversations: [gpt] },
      "THAW_DATA_PLACEHOLDER_MISMATCH",
    ],
    ["no turns", { image: "a.png" }, "THAW_DATA_SAMPLE_INVALID"],
    ["a turn without a role", { image: "a.png", conversations: [{ value: "Hi" }] }, "THAW_DATA_SAMPLE_INVALID"],
    ["a turn without text", { image: "a.png", conversations: [{ from: "human" }] }, "THAW_DATA_SAMPLE_INVALID"],
    [
      "a last turn that is a question",
      { image: "a.png", conversations: [{ from: "human", value: "Hi" }] },
      "THAW_DATA_SAMPLE_INVALID",
    ],
    [
      "an empty answer",
      {
        image: "a.png",
        conversations: [
          { from: "human", value: "Hi" },
          { from: "gpt", value: " " },
        ],
      },
      "THAW_DATA_SAMPLE_INVALID",
    ],
    [
      "a web address",
      { image: "https://example.org/a.png", conversations: [{ from: "human", value: "Hi" }, gpt] },
      "THAW_DATA_SAMPLE_INVALID",
    ],
    [
      "an image that is a number",
      { image: 7, conversations: [{ from: "human", value: "Hi" }, gpt] },
      "THAW_DATA_SAMPLE_INVALID",
    ],
    ...["chatgpt", "Assistant", "model", "function_call", "constructor"].map(
      (from): [string, Record<string, unknown>, string] => [
        `the role ${from}`,
        { image: "a.png", conversations: [{ from: "human", value: "Hi" }, { from, value: "A" }, gpt] },
        "THAW_DATA_SAMPLE_INVALID",
      ],
    ),
    ...["tools", "videos", "chosen", "kto_tag"].map((key): [string, Record<string, unknown>, string] => [
      `the key ${key}`,
      { image: "a.png", [key]: ["x"], conversations: [{ from: "human", value: "Hi" }, gpt] },
      "THAW_DATA_SAMPLE_INVALID",
    ]),
    [
      "a call of a tool",
      { image: "a.png", messages: [{ role: "assistant", content: "", tool_calls: [{}] }, answer] },
      "THAW_DATA_SAMPLE_INVALID",
    ],
    [
      "half a weight",
      {
        image: "a.png",
        conversations: [
          { from: "human", value: "Hi" },
          { ...gpt, weight: 0.5 },
        ],
      },
      "THAW_DATA_SAMPLE_INVALID",
    ],
    [
      "a conversation of which nothing is learned",
      {
        image: "a.png",
        conversations: [
          { from: "human", value: "Hi" },
          { ...gpt, loss: false },
        ],
      },
      "THAW_DATA_SAMPLE_INVALID",
    ],
    [
      "a second system prompt",
      { image: "a.png", system: "A", conversations: [{ from: "system", value: "B" }, gpt] },
      "THAW_DATA_SAMPLE_INVALID",
    ],
    [
      "the placeholder of a video in a text",
      { image: "a.png", conversations: [{ from: "human", value: "<video>\nHi" }, gpt] },
      "THAW_DATA_SAMPLE_INVALID",
    ],
    [
      "a part of an unknown type",
      { messages: [{ role: "user", content: [{ type: "video" }] }, answer] },
      "THAW_DATA_SAMPLE_INVALID",
    ],
  ])("%s, naming file and line", (_, value, code) => {
    expect(() => read(value)).toThrow(expect.objectContaining({ code, message: expect.stringContaining(origin) }));
  });
});

describe("captionSample", () => {
  const caption = (value: Record<string, unknown>): ReturnType<typeof captionSample> =>
    captionSample({ value, origin }, { folders, prompt: "Caption:" });

  it("reads image and caption, and the concept from either", () => {
    expect(caption({ id: 3, image: "a.png", caption: " red apple " })).toMatchObject({
      id: "3",
      reference: "red apple",
      concept: "red-apple",
      media: [{ modality: "image", source: { path: join(folder, "a.png") } }],
    });
    expect(caption({ audio: "a.wav", caption: "rain" })).toMatchObject({
      messages: [{ content: [{ type: "audio" }, { text: "Caption:" }] }, {}],
      media: [{ modality: "audio", source: { path: join(folders.audio, "a.wav") } }],
    });
    expect(caption({ file_name: "a.png", text: "an apple", name: "apple" })).toMatchObject({
      reference: "an apple",
      concept: "apple",
    });
  });

  it.each<[Record<string, unknown>, string]>([
    [{ caption: "x" }, "THAW_DATA_IMAGE_REQUIRED"],
    [{ image: "a.png" }, "THAW_DATA_SAMPLE_INVALID"],
    [{ image: "a.png", caption: "" }, "THAW_DATA_SAMPLE_INVALID"],
    [{ image: ["a.png", "b.png"], caption: "x" }, "THAW_DATA_SAMPLE_INVALID"],
    [{ image: "a.png", audio: "a.wav", caption: "x" }, "THAW_DATA_SAMPLE_INVALID"],
  ])("refuses %j", (value, code) => {
    expect(() => caption(value)).toThrow(expect.objectContaining({ code, message: expect.stringContaining(origin) }));
  });
});

describe("data files", () => {
  let root: string;
  beforeAll(async () => (root = await mkdtemp(join(tmpdir(), "thaw-data-"))));
  afterAll(() => rm(root, { recursive: true }));
  const write = async (name: string, content: string | Uint8Array): Promise<string> => {
    await writeFile(join(root, name), content);
    return join(root, name);
  };
  const records = async (path: string): Promise<unknown[]> => {
    const opened = await openRecords(path);
    const all = [];
    for (let index = 0; index < opened.count; index += 1) {
      const { value, origin: place } = await opened.read(index);
      all.push([value, place.slice(root.length + 1)]);
    }
    await opened.close();
    return all;
  };

  it("are JSONL with blank lines and any line ends, or a JSON array", async () => {
    expect(await records(await write("a.jsonl", '\uFEFF{"a":1}\r\n\n{"a":2}'))).toEqual([
      [{ a: 1 }, "a.jsonl:1"],
      [{ a: 2 }, "a.jsonl:3"],
    ]);
    expect(await records(await write("a.json", '\uFEFF[{"a":1},{"a":2}]'))).toEqual([
      [{ a: 1 }, "a.json[0]"],
      [{ a: 2 }, "a.json[1]"],
    ]);
  });

  it.each([
    ["b.jsonl", '{"a":1}\n{"a":', "b.jsonl:2"],
    ["c.jsonl", "[1]\n", "c.jsonl:1"],
    ["d.json", "{}", "d.json"],
    ["e.json", "[1]", "e.json[0]"],
    ["f.json", "[", "f.json"],
    ["latin.jsonl", Buffer.from('{"a":1}\n{"a":"caf\xe9"}\n', "latin1"), "latin.jsonl:2"],
    ["latin.json", Buffer.from('[{"a":"caf\xe9"}]', "latin1"), "latin.json"],
    ["set.jsonl", "PAR1\u0015\u0004", "a Parquet file"],
    ["pointer.jsonl", "version https://git-lfs.github.com/spec/v1\n", "git lfs pull"],
  ])("name the place of what is wrong in %s", async (name, content, place) => {
    await expect(records(await write(name, content))).rejects.toMatchObject({
      code: "THAW_DATA_FILE_MALFORMED",
      message: expect.stringContaining(place),
    });
  });

  it("may be one line longer than any buffer", async () => {
    const long = "é".repeat(200_000);
    expect(await records(await write("long.jsonl", `{"a":"${long}"}\n{"a":1}`))).toEqual([
      [{ a: long }, "long.jsonl:1"],
      [{ a: 1 }, "long.jsonl:2"],
    ]);
  });

  it("are an error where they are missing", async () => {
    await expect(records(join(root, "none.jsonl"))).rejects.toMatchObject({ code: "THAW_DATA_FILE_UNREADABLE" });
  });

  it("are known by their content in the short form", async () => {
    await write("talk.jsonl", '{"conversations":[]}\n');
    await write("captions.jsonl", '{"image":"a.png","caption":"x"}\n');
    await write("icons.json", '{"prefix":"x","icons":{}}');
    await write("empty.jsonl", "\n");
    expect(await resolveSource("talk.jsonl", root)).toMatchObject({
      type: "conversations",
      path: join(root, "talk.jsonl"),
      textOnly: false,
      exif: true,
    });
    expect(await resolveSource("./captions.jsonl", root)).toMatchObject({ type: "captions" });
    expect(await resolveSource("icons.json", root)).toMatchObject({
      type: "iconify",
      set: join(root, "icons.json"),
      background: "#ffffff",
    });
    expect(await resolveSource(".", root)).toMatchObject({ type: "iconify" });
    expect(await resolveSource("iconify:noto", root)).toMatchObject({ type: "iconify", set: "noto" });
    await expect(resolveSource("empty.jsonl", root)).rejects.toMatchObject({ code: "THAW_DATA_EMPTY" });
    await expect(resolveSource("none.jsonl", root)).rejects.toMatchObject({ code: "THAW_DATA_FILE_UNREADABLE" });
    await expect(resolveSource({ type: "iconify", set: "noto", colour: "red" } as never, root)).rejects.toMatchObject({
      code: "THAW_DATA_OPTIONS",
      message: expect.stringContaining("colour"),
    });
  });
});
