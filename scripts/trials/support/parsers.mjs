/** Readers of foreign files, with files that are right and what must hold for whatever they accept. */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { resolveConfig } from "../../../packages/config/dist/index.js";
import { compileChatTemplate, decodeRgb, loadTokenizer, openSource } from "../../../packages/data/dist/index.js";
import { openModel, openProcessor } from "../../../packages/models/dist/index.js";
import { openSafetensors } from "../../../packages/safetensors/dist/index.js";

const golden = fileURLToPath(new URL("../../../test/fixtures/goldens/llava", import.meta.url));
const CONFIG = `extends: []
model: ./model
run_name: first
seed: 3
output: ./runs
plugins: []
training: { epochs: 2, micro_batch_size: 4, learning_rate: 1e-3, schedule: { type: cosine, warmup_steps: 3 } }
`;
const LINES = [
  { image: "image0.png", caption: "a disc" },
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
]
  .map((line) => JSON.stringify(line))
  .join("\n");

function expect(holds, what) {
  if (!holds) throw new Error(`accepted, but ${what}`);
}

/** `file`: what is damaged; `read`: reads it in a folder and checks what it got. */
export async function parsers() {
  const original = (name) => readFile(join(golden, name));
  const processor = await openProcessor(golden);
  const data = (type) => ({
    name: "data.jsonl",
    bytes: Buffer.from(
      type === "captions" ? `${LINES.split("\n")[0]}\n`.repeat(3) : LINES.split("\n").slice(1).join("\n"),
    ),
    links: ["image0.png", "image1.png"],
    read: async (folder) => {
      const source = await openSource(
        { type, path: join(folder, "data.jsonl") },
        { processor, baseFolder: folder, role: "train", workers: 0 },
      );
      try {
        expect(source.sampleCount > 0, "there is no sample");
      } finally {
        await source.close();
      }
    },
  });
  const modelFile = (name, read) => ({
    name,
    bytes: undefined,
    links: [
      "tokenizer.json",
      "tokenizer_config.json",
      "config.json",
      "preprocessor_config.json",
      "processor_config.json",
      "chat_template.jinja",
      "generation_config.json",
      "model.safetensors",
    ].filter((other) => other !== name),
    read,
  });
  const list = {
    safetensors: modelFile("model.safetensors", async (folder) => {
      const file = await openSafetensors(join(folder, "model.safetensors"));
      try {
        for (const name of file.entries.keys()) await file.readBytes(name);
      } finally {
        await file.close();
      }
    }),
    config: { name: "thaw.config.yaml", bytes: Buffer.from(CONFIG), links: [], read: readConfig },
    json: {
      name: "thaw.config.json",
      bytes: Buffer.from(
        JSON.stringify({ model: "./m", seed: 3, training: { epochs: 2, learning_rate: 0.1 }, data: { train: "./x" } }),
      ),
      links: [],
      read: readConfig,
    },
    captions: data("captions"),
    conversations: data("conversations"),
    tokenizer: modelFile("tokenizer.json", readTokenizer),
    "tokenizer config": modelFile("tokenizer_config.json", readTokenizer),
    "model config": modelFile("config.json", async (folder) => {
      const model = await openModel(folder);
      expect(model.parameters.length > 0 && model.parameters.length < 10_000, "it has no parameters, or very many");
    }),
    preprocessor: modelFile("preprocessor_config.json", (folder) => openProcessor(folder)),
    processor: modelFile("processor_config.json", (folder) => openProcessor(folder)),
    template: {
      name: "chat_template.jinja",
      bytes: await original("chat_template.jinja"),
      links: [],
      read: async (folder) => {
        const text = await readFile(join(folder, "chat_template.jinja"), "utf8");
        const { special } = processor.tokenizer;
        const template = compileChatTemplate(text, {
          source: join(folder, "chat_template.jinja"),
          special,
          placeholders: { image: "<image>" },
        });
        const messages = [
          { role: "user", content: [{ type: "image" }, { type: "text", text: "What?" }] },
          { role: "assistant", content: [{ type: "text", text: "A disc." }] },
        ];
        expect(typeof template.render(messages) === "string", "it gives no text");
      },
    },
    image: {
      name: "image0.png",
      bytes: await original("image0.png"),
      links: [],
      // Whoever decodes names sample and file around what the decoder says
      isPlain: true,
      read: async (folder) => {
        const {
          data: pixels,
          width,
          height,
        } = await decodeRgb(await readFile(join(folder, "image0.png")), { exif: true });
        expect(pixels.length === width * height * 3, "its pixels are not as many as its size says");
      },
    },
  };
  for (const parser of Object.values(list)) parser.bytes ??= await original(parser.name);
  return list;
}

async function readConfig(folder) {
  const resolved = await resolveConfig({ folder, builtins: [], requires: "nothing" });
  expect({}.polluted === undefined, "it changed what all objects have");
  expect(Array.isArray(resolved.findings), "it has no findings");
  for (const { message, fix } of resolved.findings)
    expect(message.length < 3000 && fix.length < 3000, `a finding has ${message.length} characters`);
}

async function readTokenizer(folder) {
  const tokenizer = await loadTokenizer(folder);
  const ids = tokenizer.encode("<s>USER: <image>\nWhat is on the pictüre? 😀");
  expect(
    ids.every((id) => Number.isSafeInteger(id) && id >= 0),
    "an id is no number",
  );
  expect(typeof tokenizer.decode(ids) === "string", "ids have no text");
}

/** Writes the folder that a parser reads: the file in question, and the others of a golden as they are. */
export async function layOut(folder, { name, links }, bytes, link) {
  for (const other of links) await link(join(golden, other), join(folder, other));
  await writeFile(join(folder, name), bytes);
}
