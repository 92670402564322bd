/** Readers of foreign files, with files that are right and what must hold for whatever they accept. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { convertForeign, readForeign, resolveConfig } from "../../../packages/config/dist/index.js";
import { compileChatTemplate, decodeClip, decodeRgb, loadTokenizer } from "../../../packages/data/dist/index.js";
import { openModel, openProcessor } from "../../../packages/models/dist/index.js";
import { openSafetensors } from "../../../packages/safetensors/dist/index.js";
import { dataParsers } from "./data-parsers.mjs";
import { expect } from "./expect.mjs";
import { runFileParsers } from "./run-files.mjs";

const golden = fileURLToPath(new URL("../../../test/fixtures/goldens/llava", import.meta.url));
const sounds = fileURLToPath(new URL("../../../packages/data/fixtures/sounds", import.meta.url));
const CONFIG = `extends: []
model: ./model
run_name: first
seed: 3
output: ./runs
plugins: []
training: { epochs: 2, micro_batch_size: 4, learning_rate: 1e-3, schedule: { type: cosine, warmup_steps: 3 } }
`;
const JSON_CONFIG = {
  model: "./m",
  seed: 3,
  training: { epochs: 2, learning_rate: 0.1, optimizer: { type: "lion" } },
  data: { train: "./x" },
};
const SETTINGS = ["model=./m", "training.learning_rate=1e-3", "training={ epochs: 2 }", "plugins=[]", "seed=null"];
const LLAMA_FACTORY = `model_name_or_path: ./llava
stage: sft
do_train: true
finetuning_type: lora
lora_target: all
freeze_vision_tower: true
dataset: a,b
learning_rate: 1.0e-4
num_train_epochs: 3.0
lr_scheduler_type: cosine
`;
const MS_SWIFT = `export RATE=1e-4
swift sft --model ./llava --train_type lora --target_modules all-linear --freeze_vit true \\
  --dataset 'a.jsonl' --learning_rate $RATE --gradient_accumulation_steps $(expr 16 / 2) --num_train_epochs 1
`;
/** What a checkpoint folder holds, beside what is damaged. */
const FOLDER = [
  "tokenizer.json",
  "tokenizer_config.json",
  "config.json",
  "preprocessor_config.json",
  "processor_config.json",
  "chat_template.jinja",
  "generation_config.json",
  "model.safetensors",
];

/**
 * By name: `name`: the file that is damaged; `bytes`: as it is right; `links`: paths of others that lie beside it;
 * `read`: reads it in a folder and checks what it got; `isPlain`: errors need not be Thaw's own; `repair`: makes what
 * was damaged pass the sums of its format.
 */
export async function parsers() {
  const processor = await openProcessor(golden);
  const modelFile = async (name, read) => ({
    name,
    bytes: await readFile(join(golden, name)),
    links: FOLDER.filter((other) => other !== name).map((other) => join(golden, other)),
    read,
  });
  // Whoever decodes names sample and file around what the decoder says
  const item = async (path, read) => ({
    name: "item",
    bytes: await readFile(path),
    links: [],
    isPlain: true,
    read: async (folder) => read(await readFile(join(folder, "item"))),
  });
  const text = (name, content, read) => ({ name, bytes: Buffer.from(content), links: [], read });
  return {
    safetensors: await modelFile("model.safetensors", async (folder) => {
      const file = await openSafetensors(join(folder, "model.safetensors"));
      try {
        for (const name of file.entries.keys()) await file.readBytes(name);
      } finally {
        await file.close();
      }
    }),
    config: text("thaw.config.yaml", CONFIG, (folder) => readConfig(folder)),
    json: text("thaw.config.json", JSON.stringify(JSON_CONFIG), (folder) => readConfig(folder)),
    settings: text("settings", SETTINGS.join("\0"), async (folder) =>
      readConfig(folder, { config: null, overrides: (await readFile(join(folder, "settings"), "utf8")).split("\0") }),
    ),
    "llama factory": text("x.yaml", LLAMA_FACTORY, (folder) => readOther(folder, "x.yaml")),
    "ms-swift": text("x.sh", MS_SWIFT, (folder) => readOther(folder, "x.sh")),
    tokenizer: await modelFile("tokenizer.json", readTokenizer),
    "tokenizer config": await modelFile("tokenizer_config.json", readTokenizer),
    "model config": await modelFile("config.json", async (folder) => {
      const model = await openModel(folder);
      expect(model.parameters.length > 0 && model.parameters.length < 10_000, "it has no parameters, or very many");
    }),
    preprocessor: await modelFile("preprocessor_config.json", (folder) => openProcessor(folder)),
    processor: await modelFile("processor_config.json", (folder) => openProcessor(folder)),
    template: {
      ...(await modelFile("chat_template.jinja", (folder) => renderTemplate(folder, processor))),
      links: [],
    },
    image: await item(join(golden, "image0.png"), async (bytes) => {
      const { data: pixels, width, height } = await decodeRgb(bytes, { exif: true });
      expect(pixels.length === width * height * 3, "its pixels are not as many as its size says");
    }),
    wav: await item(join(sounds, "8000.wav"), readClip),
    flac: await item(join(sounds, "s16.flac"), readClip),
    mp3: await item(join(sounds, "info.mp3"), readClip),
    ogg: await item(join(sounds, "stereo.ogg"), readClip),
    ...(await dataParsers(processor)),
    ...(await runFileParsers()),
  };
}

async function readConfig(folder, given = {}) {
  const resolved = await resolveConfig({ folder, builtins: [], requires: "nothing", ...given });
  expect({}.polluted === undefined, "it changed what all objects have");
  expect(Array.isArray(resolved.findings), "it has no findings");
  for (const { message, fix } of resolved.findings)
    expect(message.length < 3000 && fix.length < 3000, `a finding has ${message.length} characters`);
}

async function readOther(folder, name) {
  const foreign = readForeign(await readFile(join(folder, name), "utf8"), name);
  if (foreign === undefined) return;
  expect({}.polluted === undefined, "it changed what all objects have");
  expect(typeof convertForeign(foreign) === "string", "it gives no config");
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

async function renderTemplate(folder, { tokenizer: { special } }) {
  const source = join(folder, "chat_template.jinja");
  const text = await readFile(source, "utf8");
  const template = compileChatTemplate(text, { source, special, placeholders: { image: "<image>" } });
  const messages = [
    { role: "user", content: [{ type: "image" }, { type: "text", text: "What?" }] },
    { role: "assistant", content: [{ type: "text", text: "A disc." }] },
  ];
  expect(typeof template.render(messages) === "string", "it gives no text");
}

async function readClip(bytes) {
  const { samples } = await decodeClip(bytes, 16_000);
  expect(
    samples.every((value) => Number.isFinite(value)),
    "a value is not finite",
  );
}
