import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { PassThrough } from "node:stream";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { thaw } from "../../test-support/thaw.js";
import { enterWorkFolder, type WorkFolder } from "../../test-support/work-folder.js";
import { init } from "../commands/init.js";
import { memoryTerminal } from "../terminal/terminal.js";
import { possibleChoices, TRAIN_CHOICES } from "./choices.js";
import { configText } from "./config-text.js";
import { findCandidates, modelFacts } from "./facts.js";
import { terminalQuestions, type Questions } from "./questions.js";

const fixture = (name: string): string => fileURLToPath(new URL(`../../../../test/fixtures/${name}`, import.meta.url));
const LLAVA = fixture("goldens/llava");
let work: WorkFolder;

beforeEach(() => {
  work = enterWorkFolder("thaw-cli-init-");
  for (const picture of ["image0.png", "image1.png"]) cpSync(`${LLAVA}/${picture}`, picture);
  const line = '{"image": "image0.png", "caption": "red squares"}\n';
  writeFileSync("captions.jsonl", line.repeat(24));
});
afterEach(() => work.leave());

/** Answers in order; what was asked and told is kept. */
function scripted(answers: readonly (string | undefined)[]): Questions & { readonly log: readonly string[] } {
  const left = [...answers];
  const log: string[] = [];
  const next = (message: string): Promise<string | undefined> => {
    log.push(message);
    return Promise.resolve(left.shift());
  };
  return {
    log,
    choose: (message, choices) => next(`${message} ${choices.map(({ value }) => value).join("|")}`),
    write: (message) => next(message),
    tell: (text, kind) => void log.push(`${kind}: ${text}`),
    end: () => undefined,
  };
}

/** What trains, by the plan of a config. */
async function trained(config: string): Promise<Record<string, string>> {
  const { components } = JSON.parse((await thaw("plan", config, "--json")).out) as {
    components: readonly { readonly name: string; readonly state: string }[];
  };
  return Object.fromEntries(components.map(({ name, state }) => [name, state]));
}

const TRAINED: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  projector: { multi_modal_projector: "train", audio_projector: "train" },
  lora: { multi_modal_projector: "train", audio_projector: "train", language_model: "adapter" },
  "language-model": { language_model: "train" },
  "projector-and-language-model": { multi_modal_projector: "train", audio_projector: "train", language_model: "train" },
  everything: {
    vision_tower: "train",
    multi_modal_projector: "train",
    language_model: "train",
    audio_tower: "train",
    audio_projector: "train",
  },
};

describe("a config for every model and every choice", () => {
  it.each(["goldens/llava", "goldens/gemma4", "goldens/voxtral"])(
    "passes the check and trains what was chosen: %s",
    async (name) => {
      const model = await modelFacts(fixture(name));
      for (const { name: train } of possibleChoices(model)) {
        const file = `${train}.yaml`;
        const made = await thaw(
          "init",
          "--model",
          model.given,
          "--data",
          "captions.jsonl",
          "--train",
          train,
          "--output",
          file,
        );
        expect([made.code, made.err, made.out]).toEqual([0, "", expect.stringMatching(/no conflicts|dead-parameter/)]);
        expect(await trained(file), train).toEqual(
          Object.fromEntries(
            model.components.map((component) => [component.name, TRAINED[train]![component.name] ?? "frozen"]),
          ),
        );
      }
    },
  );
});

it("offers to train nothing whole that is stored in 4 bits", async () => {
  const { components, ...model } = await modelFacts(LLAVA);
  const packed = components.map((component) => ({ ...component, isQuantized: component.name === "language_model" }));
  expect(possibleChoices({ ...model, components: packed }).map(({ name }) => name)).toEqual(["projector", "lora"]);
});

describe("what is suggested", () => {
  it.each([
    [3, { split: false, batch: 3, epochs: 10 }],
    [99, { split: false, batch: 8, epochs: 10 }],
    [1000, { split: true, batch: 8, epochs: 3 }],
    [100_000, { split: true, batch: 8, epochs: 1 }],
  ])("fits %i samples", (sampleCount, { split, batch, epochs }) => {
    const text = configText(
      {
        model: { given: "org/name", modelType: "llava", components: [], plansOnly: false },
        data: { given: "iconify:noto", type: "iconify", sampleCount },
        train: TRAIN_CHOICES[0]!,
        backend: "auto",
        hasBfloat16: false,
      },
      "thaw.config.yaml",
    );
    expect(/^ {2}split:/m.test(text)).toBe(split);
    expect(text).toMatch(new RegExp(`micro_batch_size: ${batch} [^]*`));
    expect(text).toMatch(new RegExp(`epochs: ${epochs} `));
    expect(Math.max(...text.split("\n").map((line) => line.length))).toBeLessThanOrEqual(120);
  });

  it("is what lies here, and nothing where that is not plain", async () => {
    cpSync(LLAVA, "models/tiny", { recursive: true });
    mkdirSync("node_modules/x", { recursive: true });
    cpSync(LLAVA, "node_modules/x/model", { recursive: true });
    expect(await findCandidates(process.cwd())).toEqual({ models: ["./models/tiny"], data: ["./captions.jsonl"] });
    expect(await thaw("init", "--yes")).toMatchObject({ code: 0, err: "" });
    expect(readFileSync("thaw.config.yaml", "utf8")).toMatch(/model: \.\/models\/tiny [^]*train_mm_proj_only: true/);
    writeFileSync("more.jsonl", "{}\n");
    expect(await thaw("init", "--yes", "--output", "more.yaml")).toMatchObject({
      code: 2,
      err: expect.stringMatching(/--data is missing[^]*here lie .\/captions.jsonl, .\/more.jsonl/) as string,
    });
  });

  it("starts from the folder of the config", async () => {
    mkdirSync("configs");
    cpSync(LLAVA, "tiny", { recursive: true });
    const { code } = await thaw("init", "--yes", "--output", "configs/first.yaml");
    expect(code).toBe(0);
    expect(readFileSync("configs/first.yaml", "utf8")).toMatch(/model: \.\.\/tiny [^]*train: \.\.\/captions\.jsonl/);
  });
});

describe("what is refused", () => {
  it("is to overwrite, also by the name that another config hides", async () => {
    writeFileSync("thaw.config.json", "{}");
    for (const output of ["thaw.config.yaml", "thaw.config.json"])
      expect(await thaw("init", "--yes", "--output", output)).toMatchObject({
        code: 1,
        err: expect.stringContaining("THAW_CLI_OUTPUT_TAKEN") as string,
      });
    expect(readFileSync("thaw.config.json", "utf8")).toBe("{}");
  });

  it.each([
    [["--model", "nowhere"], "THAW_CHECKPOINT_UNREADABLE"],
    [["--model", LLAVA, "--data", "nowhere.jsonl"], "THAW_DATA_FILE_UNREADABLE"],
    [["--model", LLAVA, "--data", "captions.jsonl", "--backend", "cuda"], "Allowed choices are auto"],
    [["--model", fixture("quantized/nf4"), "--data", "captions.jsonl"], "of which a component can train"],
    [["--model", LLAVA, "--data", "captions.jsonl", "--output", "none/x.yaml"], "THAW_CLI_CANNOT_WRITE"],
  ])("is %j, and nothing is written", async (args, code) => {
    const ran = await thaw("init", ...args);
    expect([ran.code === 0, ran.err]).toEqual([false, expect.stringContaining(code)]);
    expect(existsSync("thaw.config.yaml")).toBe(false);
  });
});

describe("questions", () => {
  const options = { output: "thaw.config.yaml" };

  it("come for what was not given, again where an answer cannot be used", async () => {
    const asked = scripted(["nowhere", LLAVA, "./captions.jsonl", "projector", "wasm"]);
    const terminal = memoryTerminal();
    expect(await init(options, terminal, asked)).toBe(0);
    expect(asked.log).toEqual([
      "Which checkpoint is trained?",
      expect.stringMatching(/^error: .*nowhere/),
      "Which checkpoint is trained?",
      expect.stringMatching(/^step: llava; parameters: vision_tower 38,704/),
      "What is it trained on? ./captions.jsonl|",
      "step: captions, 24 samples",
      "What trains? projector|lora|language-model|projector-and-language-model|everything",
      expect.stringMatching(/^What computes\? auto\|/),
    ]);
    expect(readFileSync("thaw.config.yaml", "utf8")).toContain("backend: wasm");
    expect(terminal.outText()).toContain("Next: thaw plan shows what trains");
  });

  it.each([0, 1, 2, 3])("can be left, after %i answers, and nothing is written", async (count) => {
    const asked = scripted([LLAVA, "./captions.jsonl", "lora", "auto"].slice(0, count));
    const terminal = memoryTerminal();
    expect([await init(options, terminal, asked), terminal.errText()]).toEqual([130, "Nothing was written."]);
    expect(existsSync("thaw.config.yaml")).toBe(false);
  });

  it("are asked on a terminal, and Ctrl-C leaves them", async () => {
    const [input, output] = [new PassThrough(), new PassThrough()];
    const shown: string[] = [];
    output.on("data", (chunk: Buffer) => shown.push(chunk.toString()));
    const questions = await terminalQuestions({ input, output, width: 40 });
    const chosen = questions.choose("Which?", [
      { value: "one", label: "the first" },
      { value: "two", label: "the second" },
    ]);
    input.write("\u001b[B");
    input.write("\r");
    expect(await chosen).toBe("two");
    questions.tell("so many words that they do not fit into one line", "step");
    const written = questions.write("Where?", "a path");
    input.write("x\r");
    expect(await written).toBe("x");
    const left = questions.write("Where?", "a path");
    input.write("\u0003");
    expect(await left).toBeUndefined();
    expect(shown.join("")).toMatch(/so many words that they do not fit\n/);
  });
});
