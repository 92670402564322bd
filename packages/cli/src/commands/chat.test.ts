import { copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { fileURLToPath } from "node:url";
import { openSource, type DataSource } from "@thaw/data";
import { openProcessor } from "@thaw/models";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { thaw, thawReading } from "../../test-support/thaw.js";
import { enterWorkFolder, type WorkFolder } from "../../test-support/work-folder.js";
import { Conversation } from "../chat/conversation.js";
import { textStream } from "../chat/text-stream.js";
import { readLines } from "../terminal/lines.js";
import { memoryTerminal } from "../terminal/terminal.js";
import { visible } from "../terminal/visible.js";
import { chat } from "./chat.js";

const golden = (name: string): string =>
  fileURLToPath(new URL(`../../../../test/fixtures/goldens/${name}`, import.meta.url));
const llava = golden("llava");
const SHORT = ["--max-new-tokens", "4", "--backend", "wasm"];
const FAMILIES = ["llava", "qwen2_5_vl", "smolvlm"];

interface Answer {
  readonly turn: number;
  readonly question: string;
  readonly media: readonly string[];
  readonly answer: string;
  readonly tokens: number;
  readonly end: string;
}
const answersOf = (out: string): readonly Answer[] => out.split("\n").map((line) => JSON.parse(line) as Answer);

let work: WorkFolder;
beforeAll(() => {
  work = enterWorkFolder("thaw-chat-");
  for (const name of ["image0.png", "image1.png"]) copyFileSync(join(llava, name), name);
  writeFileSync("broken.png", "");
});
afterAll(() => work.leave());

async function promptOf(source: DataSource): Promise<{ readonly ids: readonly number[]; readonly items: number }> {
  try {
    for await (const { tokenIds, media } of source.prompts({ microBatchSize: 1 }))
      return { ids: [...tokenIds], items: media.length };
    throw new Error("no prompt");
  } finally {
    await source.close();
  }
}

describe.each(FAMILIES)("a chat with %s", (family) => {
  const model = golden(family);

  it("asks what the conversation is as a data set", async () => {
    const processor = await openProcessor(model);
    const conversation = new Conversation(processor);
    conversation.setSystem("Be brief.");
    await conversation.attach("image", "image0.png");
    conversation.answered("What is this?", "red squares");
    await conversation.attach("image", "image1.png");
    const asked = await promptOf(await conversation.ask("And this?"));
    const messages = [
      { role: "system", content: "Be brief." },
      { role: "user", content: [{ type: "image" }, { type: "text", text: "What is this?" }] },
      { role: "assistant", content: "red squares" },
      { role: "user", content: [{ type: "image" }, { type: "text", text: "And this?" }] },
      { role: "assistant", content: "left out" },
    ];
    writeFileSync("talk.jsonl", JSON.stringify({ messages, images: ["image0.png", "image1.png"] }));
    const source = await openSource("./talk.jsonl", { processor, baseFolder: work.path, role: "train", workers: 0 });
    expect(asked).toEqual(await promptOf(source));
    expect(asked.items).toBe(2);
  });

  it("answers turn by turn, streamed as it is whole, and anew after /reset", async () => {
    const lines =
      "What is this?\n\n/image image1.png\nAnd this?\n/reset\n/image image0.png\nWhat is this?\n/quit\nMore?\n";
    const args = ["chat", "--model", model, "--image", "image0.png", ...SHORT];
    const { code, out, err } = await thawReading(lines, ...args, "--json");
    expect([code, err]).toEqual([0, ""]);
    const answers = answersOf(out);
    const path = (name: string): string => join(work.path, name);
    expect(answers.map(({ turn, question, media }) => [turn, question, media])).toEqual([
      [1, "What is this?", [path("image0.png")]],
      [2, "And this?", [path("image1.png")]],
      [1, "What is this?", [path("image0.png")]],
    ]);
    expect(answers[2]).toEqual(answers[0]);
    const streamed = await thawReading(lines, ...args);
    expect(streamed.out).toBe(answers.map(({ answer }) => visible(answer)).join("\n"));
    const caption = await thaw("caption", "image0.png", "--model", model, "--prompt", "What is this?", ...SHORT);
    expect(caption.out).toBe(visible(answers[0]!.answer));
  });
});

it("draws by seed, anew in each turn, and heeds the penalty", async () => {
  const ask = async (...flags: readonly string[]): Promise<readonly string[]> => {
    const { out } = await thawReading("Go on.\n", "chat", "--model", llava, "--json", ...SHORT, ...flags);
    return answersOf(out).map(({ answer }) => answer);
  };
  expect(await ask("--temperature", "5", "--seed", "1")).toEqual(await ask("--temperature", "5", "--seed", "1"));
  expect(await ask("--temperature", "5", "--seed", "1")).not.toEqual(await ask("--temperature", "5", "--seed", "2"));
  const long = ["--max-new-tokens", "32"];
  expect(await ask(...long, "--repetition-penalty", "50")).not.toEqual(await ask(...long));
  expect((await thaw("chat", "--model", llava, "--repetition-penalty", "0")).code).toBe(2);
});

it("goes on after what cannot be used, and ends with 1", async () => {
  const lines = "/image gone.png\n/image broken.png\n/audio clip.wav\n/imgae image0.png\nSee <image>?\nWhat is this?\n";
  const { code, out, err } = await thawReading(
    lines,
    "chat",
    "--model",
    llava,
    "--json",
    "--image",
    "no.png",
    ...SHORT,
  );
  expect(code).toBe(1);
  expect(answersOf(out)).toMatchObject([{ turn: 1, question: "What is this?", media: [] }]);
  expect(err.split("\n").map((line) => /\[(\w+)\]$/.exec(line)?.[1])).toEqual([
    "THAW_DATA_IMAGE_MISSING",
    "THAW_DATA_IMAGE_MISSING",
    "THAW_DATA_IMAGE_BROKEN",
    "THAW_DATA_AUDIO_MISSING",
    "THAW_CLI_CHAT_COMMAND",
    "THAW_DATA_PLACEHOLDER_MISMATCH",
  ]);
});

it.each([
  ["leaves it out", "{% for m in messages if m.role != 'system' %}{{ m.content }}{% endfor %}"],
  [
    "refuses",
    "{% if messages[0].role == 'system' %}{{ raise_exception('No system.') }}{% endif %}{{ messages[0].content }}",
  ],
])("says that a template %s where there is no system role, and goes on", async (_word, template) => {
  const files = ["config.json", "generation_config.json", "model.safetensors", "preprocessor_config.json"];
  mkdirSync("plain", { recursive: true });
  for (const file of [...files, "processor_config.json", "tokenizer.json", "tokenizer_config.json"])
    copyFileSync(join(llava, file), join("plain", file));
  writeFileSync(join("plain", "chat_template.jinja"), template);
  const { code, out, err } = await thawReading(
    "Hi\n",
    "chat",
    "--model",
    "plain",
    "--system",
    "Be brief.",
    "--json",
    ...SHORT,
  );
  expect([code, answersOf(out).length]).toEqual([1, 1]);
  expect(err).toContain("THAW_CLI_CHAT_SYSTEM");
});

it("takes clips where the model reads sound", async () => {
  const model = golden("qwen2_audio");
  const clip = join(model, "audio0.wav");
  const { code, out } = await thawReading(`/audio ${clip}\nWhat?\n`, "chat", "--model", model, "--json", ...SHORT);
  expect(code).toBe(0);
  expect(answersOf(out)).toMatchObject([{ media: [clip] }]);
});

it("Ctrl-C ends the answer, and between answers the chat", async () => {
  const input = new PassThrough();
  const terminal = { ...memoryTerminal(120), input };
  const outs: string[] = [];
  let hasWritten = false;
  const done = chat(
    { model: llava, image: [], audio: [], maxNewTokens: 100_000, backend: "wasm", logLevel: "warn" },
    {
      ...terminal,
      write: () => {
        if (!hasWritten) process.emit("SIGINT");
        hasWritten = true;
      },
      out: (text) => {
        outs.push(text);
        setImmediate(() => process.emit("SIGINT"));
      },
    },
  );
  input.write("Go on.\n");
  expect(await done).toBe(130);
  expect([hasWritten, outs]).toEqual([true, [""]]);
});

it("reads lines off a terminal to their end, without asking for them", async () => {
  const terminal = memoryTerminal(100, "a\nb");
  const lines = readLines(terminal, "> ", () => {});
  const read: string[] = [];
  for await (const line of lines) read.push(line);
  lines.close();
  expect([lines.isTyped, read, terminal.outText()]).toEqual([false, ["a", "b"], ""]);
});

it("text is written once its characters are whole", () => {
  const texts = ["a", "a\uFFFD", "a\uFFFD", "aé", "aé b"];
  const written: string[] = [];
  const stream = textStream({ decode: (ids) => texts[ids.length - 1]! }, (text) => written.push(text));
  for (const id of texts.keys()) stream.add(id);
  stream.end("aé b");
  expect(written).toEqual(["a", "é", " b"]);
});
