import { cp, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { main } from "../main.js";
import { memoryTerminal } from "../terminal/terminal.js";

const GOLDENS = fileURLToPath(new URL("../../../../test/fixtures/goldens", import.meta.url));
const EMPTY = "model: ./checkpoint\n";
let folder: string;
const at = (name: string): string => join(folder, name);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "thaw-cli-"));
  await symlink(join(GOLDENS, "llava"), at("checkpoint"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Runs a command; what it printed, the JSON if there is one, and the exit code. */
async function thaw(...args: readonly string[]) {
  const terminal = memoryTerminal(200);
  const code = await main(args, terminal);
  const out = terminal.outText();
  return { code, out, err: terminal.errText(), json: <T>() => JSON.parse(out) as T };
}
const file = async (name: string, text: string): Promise<string> => {
  await writeFile(at(name), text);
  return at(name);
};
interface Report {
  readonly findings: readonly {
    readonly rule: string;
    readonly severity: string;
    readonly message: string;
    readonly fix: string;
    readonly settings: readonly { readonly path: string; readonly line?: number }[];
  }[];
}
const rules = ({ findings }: Report) => findings.map(({ rule, severity }) => `${rule} ${severity}`);

describe("thaw check", () => {
  it("reports findings as JSON with the documented keys and exits with 1 for an error", async () => {
    const { code, json } = await thaw(
      "check",
      await file("a.yaml", `${EMPTY}freeze:\n  train_mm_proj_only: true\n  freeze_llm: false\n`),
      "--json",
    );
    expect(code).toBe(1);
    const [finding] = json<Report>().findings;
    expect(Object.keys(finding!)).toEqual(["rule", "severity", "message", "fix", "settings"]);
    expect(finding!.settings.map(({ path, line }) => `${path}:${line}`)).toEqual([
      "freeze.train_mm_proj_only:3",
      "freeze.freeze_llm:4",
    ]);
  });

  it("judges the settings where the model is not there: a hub name is a note, a missing folder an error", async () => {
    const hub = await thaw(
      "check",
      await file("b.yaml", "model: Qwen/Qwen2-VL-2B\nfreeze: { train_mm_proj_only: true }\n"),
      "--json",
    );
    expect([hub.code, rules(hub.json())]).toEqual([0, ["config note"]]);
    const both = await thaw(
      "check",
      await file("c.yaml", "model: Qwen/Qwen2-VL-2B\nfreeze: { freeze_llm: true }\n"),
      "--json",
    );
    expect([both.code, rules(both.json())]).toEqual([1, ["config note", "nothing-trains error"]]);
    const missing = await thaw(
      "check",
      await file("d.yaml", "model: ./nowhere\nfreeze: { freeze_llm: true }\n"),
      "--json",
    );
    expect([missing.code, rules(missing.json())]).toEqual([1, ["config error", "nothing-trains error"]]);
  });

  it("plans a model type that it cannot run, from the headers", async () => {
    const checkpoint = at("kimi");
    await cp(join(GOLDENS, "llava"), checkpoint, { recursive: true });
    const config = await readFile(join(checkpoint, "config.json"), "utf8");
    await writeFile(
      join(checkpoint, "config.json"),
      config.replace('"model_type": "llava"', '"model_type": "kimi_vl"'),
    );
    const path = await file("e.yaml", `model: ${checkpoint}\nfreeze: { train_mm_proj_only: true }\n`);
    const checked = await thaw("check", path, "--json");
    expect([checked.code, rules(checked.json())]).toEqual([0, ["model-cannot-run warning"]]);
    const { components } = (await thaw("plan", path, "--json")).json<{
      components: { name: string; state: string; flows: string[] }[];
    }>();
    expect(components.map(({ name, state, flows }) => [name, state, flows])).toEqual([
      ["vision_tower", "frozen", ["prefix"]],
      ["multi_modal_projector", "train", ["trained"]],
      ["language_model", "frozen", ["through"]],
    ]);
  });

  it("plans a type whose family a plugin brings", async () => {
    const checkpoint = at("stranger");
    await cp(join(GOLDENS, "llava"), checkpoint, { recursive: true });
    const config = await readFile(join(checkpoint, "config.json"), "utf8");
    await writeFile(
      join(checkpoint, "config.json"),
      config.replace('"model_type": "llava"', '"model_type": "stranger"'),
    );
    await file(
      "stranger.ts",
      [
        'import { API_VERSION, definePlugin } from "@thaw/core";',
        'import { llavaFamily } from "@thaw/models";',
        'const families = [{ ...llavaFamily, modelType: "stranger" }];',
        'export default definePlugin({ name: "StrangerPlugin", apiVersion: API_VERSION, provides: { families } });',
      ].join("\n"),
    );
    const without = await file("plain.yaml", "model: ./stranger\nfreeze: { train_mm_proj_only: true }\n");
    expect((await thaw("check", without)).code).toBe(1);
    const path = await file("stranger.yaml", `plugins: [./stranger.ts]\n${await readFile(without, "utf8")}`);
    const plan = (await thaw("plan", path, "--json")).json<{ components: { flows: string[] }[] }>();
    expect(plan.components.map(({ flows }) => flows)).toEqual([["prefix"], ["trained"], ["through"]]);
  });

  it("counts buffers neither as frozen nor as trained, explains them, and refuses a setting for one", async () => {
    await symlink(join(GOLDENS, "gemma4"), at("gemma4"));
    const layer = "model.language_model.layers.0";
    const path = await file("buffers.yaml", "model: ./gemma4\nfreeze: { train_mm_proj_only: true }\n");
    const check = await thaw("check", path, "--json");
    expect([check.code, rules(check.json())]).toEqual([0, []]);
    const plan = (await thaw("plan", path, "--json")).json<{ parameters: { name: string }[] }>();
    expect(plan.parameters.map(({ name }) => name).filter((name) => /scalar|max/.test(name))).toEqual([]);
    const why = await thaw("why", "layer_scalar", "--config", path, "--json");
    expect(why.out).toContain(
      `${layer}.layer_scalar is a buffer: the model stores it and computes with it, and nothing trains or freezes it.`,
    );
    const wrong = await file(
      "buffer.yaml",
      "model: ./gemma4\nfreeze: { components: { language_model: { match: [layer_scalar] } } }\n",
    );
    expect(rules((await thaw("check", wrong, "--json")).json())).toEqual(["selector-matches-nothing error"]);
  });

  it("fixes what has one safe edit and leaves the rest of the file as it is", async () => {
    const text =
      `# mine\n${EMPTY}freeze:\n  train_mm_proj_only: true   # only this\n  freeze_vision_towr: true\n  ` +
      "components: { vison_tower: frozen }\nchecks: { rules: { nothing-train: off } }\n";
    const path = await file("f.yaml", text);
    const before = (await thaw("check", path, "--json")).json<Report>();
    expect(rules(before)).toEqual(["config error", "selector-matches-nothing error", "config error"]);
    const { code, err } = await thaw("check", path, "--fix");
    expect([code, err.split("\n")[0]]).toEqual([0, `Fixed 3 findings in ${path}.`]);
    expect(await readFile(path, "utf8")).toBe(
      "# mine\nmodel: ./checkpoint\nfreeze:\n  train_mm_proj_only: true   # only this\n  components: {  " +
        "}\nchecks: { rules: { nothing-trains: off } }\n",
    );
    expect((await thaw("check", path, "--fix")).err).toContain("No finding has a safe fix.");
  });

  it("writes a SARIF log", async () => {
    const { json, code } = await thaw(
      "check",
      await file("g.yaml", `${EMPTY}freeze: { freeze_llm: true }\n`),
      "--sarif",
    );
    const { runs } = json<{
      runs: { results: { ruleId: string; locations: unknown }[]; tool: { driver: { rules: { id: string }[] } } }[];
    }>();
    expect(code).toBe(1);
    expect(runs[0]!.results).toMatchObject([
      {
        ruleId: "nothing-trains",
        locations: [
          { physicalLocation: { artifactLocation: { uri: "g.yaml", uriBaseId: "CONFIG" }, region: { startLine: 2 } } },
        ],
      },
    ]);
    expect(runs[0]!.tool.driver.rules.map(({ id }) => id)).toContain("cache-with-trainable-tower");
  });

  it("judges a LLaMA-Factory config by the same rules, in its words", async () => {
    const path = await file(
      "lf.yaml",
      "model_name_or_path: Qwen/Qwen2-VL-2B\ndataset: nowhere\nfinetuning_type: full\nfreeze_language_model: true\n",
    );
    const { code, json } = await thaw("check", path, "--json");
    expect([code, rules(json())]).toEqual([1, ["config note", "nothing-trains error"]]);
    const finding = json<Report>().findings[1]!;
    expect(finding.settings).toEqual([
      { path: "freeze_language_model", value: true, origin: "explicit", file: path, line: 4 },
    ]);
    expect(finding.fix).toBe("Add `freeze_multi_modal_projector: false` to train the multimodal projector.");
  });

  it("keeps LLaMA-Factory's meaning of lora, and reads the old shortcut", async () => {
    const lora = (lines: string) =>
      file("lora.yaml", `model_name_or_path: Qwen/Qwen2-VL-2B\nfinetuning_type: lora\n${lines}`);
    expect(rules((await thaw("check", await lora(""), "--json")).json())).toEqual(["config note"]);
    expect(rules((await thaw("check", await lora("freeze_language_model: true\n"), "--json")).json())).toEqual([
      "config note",
      "nothing-trains error",
    ]);
    expect(
      rules(
        (await thaw("check", await lora("freeze_language_model: true\nfreeze_vision_tower: false\n"), "--json")).json(),
      ),
    ).toEqual(["config note"]);
    expect(
      rules(
        (
          await thaw(
            "check",
            await lora("freeze_language_model: true\nfreeze_multi_modal_projector: false\n"),
            "--json",
          )
        ).json(),
      ),
    ).toEqual(["config note", "setting-for-frozen-component warning", "nothing-trains error"]);
    const old = await file(
      "old.yaml",
      "model_name_or_path: x\nfinetuning_type: full\ntrain_mm_proj_only: true\nfreeze_vision_tower: false\n",
    );
    const report = (await thaw("check", old, "--json")).json<Report>();
    expect(rules(report)).toEqual(["config note", "shortcut-contradicts-flag error"]);
    expect(report.findings[1]!.settings.map(({ path, line }) => `${path}:${line}`)).toEqual([
      "train_mm_proj_only:3",
      "freeze_vision_tower:4",
    ]);
  });

  const image = JSON.stringify(join(GOLDENS, "llava", "image0.png"));
  const good = `{ "image": ${image}, "caption": "a cat" }\n`.repeat(20);
  const long = `{ "image": ${image}, "caption": "${"a cat ".repeat(20_000)}" }\n`;
  it.each([
    ["no such file", "data: { train: ./nowhere.jsonl }", "", "cannot be read", "data.train"],
    ["no such set", "data: { train: iconify:nosuchset }", "", "nosuchset", "data.train"],
    [
      "a set that is not of its kind",
      "data: { train: { type: captions, path: set.jsonl } }",
      "PAR1",
      "Parquet",
      "data.train",
    ],
    ["a first sample without caption", "data: { train: set.jsonl }", `{ "image": ${image} }\n`, ":1", "data.train"],
    [
      "a picture that is missing",
      "data: { evaluation: { held: set.jsonl } }",
      `${good.slice(0, good.indexOf("\n"))}\n{ "image": "gone.png", "caption": "x" }\n`,
      "gone.png",
      "data.evaluation.held",
    ],
    [
      "no end",
      "data: { train: set.jsonl }\ntraining: { learning_rate: 1e-3 }",
      good,
      "The run has no end",
      "data.train",
    ],
  ])("looks at paths and first samples of the data: %s", async (_, yaml, lines, says, path) => {
    await file("set.jsonl", lines);
    const training = yaml.includes("training") ? "" : "training: { max_steps: 1 }\n";
    const config = await file("data.yaml", `${EMPTY}freeze: { train_mm_proj_only: true }\n${training}${yaml}\n`);
    const { code, json } = await thaw("check", config, "--json");
    const { findings } = json<Report>();
    expect(findings).toHaveLength(1);
    expect(`${findings[0]!.message} ${findings[0]!.fix}`).toContain(says);
    expect([code, findings[0]!.severity, findings[0]!.settings[0]?.path.startsWith(path)]).toEqual([1, "error", true]);
  });

  it("looks at every sample with --data, and says what it looked at", async () => {
    await file("set.jsonl", good + long);
    const config = await file(
      "data.yaml",
      `${EMPTY}freeze: { train_mm_proj_only: true }\ntraining: { max_steps: 1 }\ndata: { train: set.jsonl }\n`,
    );
    const glanced = await thaw("check", config);
    expect([glanced.code, glanced.out]).toEqual([0, expect.stringContaining("--data looks at every one") as string]);
    const all = await thaw("check", config, "--data");
    expect(all.code).toBe(1);
    expect(all.out).toContain("set.jsonl:21");
    expect(all.out).toContain("every sample of its data");
    expect((await thaw("check", await file("plain.yaml", EMPTY))).out).toContain("plain.yaml; it names no data.");
  });

  it("looks with --data at every sample also of a set of which a run looks at a part", async () => {
    const line = `{ "image": ${image}, "caption": "red" }\n`;
    await file("large.jsonl", `${line.repeat(7)}{ "image": ${image} }\n${line.repeat(100_000)}`);
    const config = await file(
      "data.yaml",
      `${EMPTY}freeze: { train_mm_proj_only: true }\ntraining: { max_steps: 1 }\n` +
        "data: { train: { type: captions, path: large.jsonl } }\n",
    );
    const { code, out } = await thaw("check", config, "--data");
    expect([code, out]).toEqual([1, expect.stringContaining("large.jsonl:8") as string]);
  });

  it("finds out that a checkpoint's tokenizer or processor is missing", async () => {
    await cp(join(GOLDENS, "llava"), at("bare"), { recursive: true });
    await rm(at("bare/tokenizer.json"));
    const config = await file(
      "bare.yaml",
      "model: ./bare\nfreeze: { train_mm_proj_only: true }\ntraining: { max_steps: 1 }\ndata: { train: set.jsonl }\n",
    );
    for (const args of [[], ["--data"]]) {
      const { findings } = (await thaw("check", config, "--json", ...args)).json<Report>();
      expect(findings.map(({ message }) => message)).toEqual([
        expect.stringContaining("has no tokenizer.json") as string,
      ]);
    }
  });

  it("takes an adapter for training also where no checkpoint is there", async () => {
    const path = await file(
      "lora.sh",
      "swift sft --model Qwen/Qwen2-VL-2B --tuner_type lora --freeze_aligner false --aligner_lr 1e-4\n",
    );
    expect(rules((await thaw("check", path, "--json")).json<Report>())).toEqual(["config note"]);
    const own = await file(
      "lora.yaml",
      "model: org/name\nfreeze: { components: { multi_modal_projector: { lora: { rank: 4 } } } }\n" +
        "training: { components: { multi_modal_projector: { learning_rate: 1e-4 } } }\n",
    );
    expect(rules((await thaw("check", own, "--json")).json<Report>())).toEqual(["config note"]);
    const trained = await thaw("train", own, "--set", "data.train=x.jsonl", "--set", "training.max_steps=1");
    expect(trained.err).toContain("org/name is not in the cache, and HF_HUB_OFFLINE is set");
    expect(trained.code).toBe(1);
  });

  it("judges ms-swift arguments, rates of frozen parts included", async () => {
    const path = await file(
      "train.sh",
      "swift sft \\\n  --model Qwen/Qwen2-VL-2B \\\n  --tuner_type full \\\n  --vit_lr 1e-5\n",
    );
    const report = (await thaw("check", path, "--json")).json<Report>();
    expect(rules(report)).toEqual(["config note", "setting-for-frozen-component error"]);
    expect(report.findings[1]!.message).toBe("`--vit_lr 1e-5` is for vision_tower, which is frozen by default.");
    expect(report.findings[1]!.fix).toBe(
      "Add `--freeze_vit false` to train it, or remove `--vit_lr 1e-5` (train.sh:4).",
    );
  });

  it("checks a local model of another tool's config by its headers", async () => {
    const path = await file(
      "local.yaml",
      "model_name_or_path: ./checkpoint\nfinetuning_type: freeze\nfreeze_trainable_layers: 40\n",
    );
    expect(rules((await thaw("check", path, "--json")).json())).toEqual(["selector-matches-nothing error"]);
  });
});

describe("thaw convert", () => {
  it("writes a config that the checker accepts and that freezes the same", async () => {
    const path = await file(
      "full.yaml",
      "model_name_or_path: ./checkpoint\nfinetuning_type: full\nfreeze_multi_modal_projector: " +
        "false\nfreeze_language_model: true\nper_device_train_batch_size: 2\n",
    );
    const converted = await thaw("convert", path);
    expect(parse(converted.out)).toMatchObject({
      model: "./checkpoint",
      freeze: { freeze_multi_modal_projector: false, freeze_language_model: true },
      training: { micro_batch_size: 2 },
    });
    const output = at("converted.yaml");
    expect((await thaw("convert", path, "--output", output)).code).toBe(0);
    expect((await thaw("check", output)).code).toBe(0);
    expect((await thaw("convert", path, "--output", output)).err).toContain("THAW_CLI_OUTPUT_TAKEN");
  });

  it("says what it takes for anything else", async () => {
    expect((await thaw("convert", await file("thaw.yaml", EMPTY))).err).toContain(
      "It is neither a LLaMA-Factory config",
    );
    expect((await thaw("convert", at("nowhere.yaml"))).err).toContain("There is no such file");
  });
});

describe("thaw why", () => {
  let path: string;
  beforeEach(async () => {
    await file("base.yaml", "freeze:\n  freeze_multi_modal_projector: true\n");
    path = await file(
      "why.yaml",
      `extends: ./base.yaml\n${EMPTY}freeze:\n  freeze_multi_modal_projector: false\n  components: { ` +
        "vision_tower: { match: [layers.1] } }\n",
    );
  });
  interface Answer {
    readonly explanations: readonly {
      kind: string;
      name: string;
      answer: string;
      settings: { path: string; line?: number }[];
      overridden: { path: string; file?: string; origin: string }[];
      facts: { label: string; text: string }[];
    }[];
  }
  const ask = async (target: string) =>
    (await thaw("why", target, "--config", path, "--json")).json<Answer>().explanations;

  it("names the setting that decided a component, and what it overrides", async () => {
    const [answer] = await ask("multiModalProjector");
    expect(answer!.answer).toBe(
      "multi_modal_projector is trained by freeze.freeze_multi_modal_projector: false (why.yaml:4).",
    );
    expect(answer!.overridden.map(({ origin, file: from }) => `${origin} ${from?.split("/").at(-1)}`)).toEqual([
      "default undefined",
      "explicit base.yaml",
    ]);
  });

  it("explains a parameter, and the parameters with a run of segments", async () => {
    const [frozen] = await ask("vision_tower.vision_model.encoder.layers.0.mlp.fc1.weight");
    expect(frozen!.answer).toContain(
      "is frozen, not selected: parameters matching layers.1 trained by freeze.components.vision_tower",
    );
    expect(frozen!.facts.find(({ label }) => label === "owner")!.text).toBe(
      "vision_tower (by the prefix vision_tower)",
    );
    expect((await ask("linear_1")).map(({ name }) => name)).toEqual([
      "multi_modal_projector.linear_1.weight",
      "multi_modal_projector.linear_1.bias",
    ]);
  });

  it("explains a setting, given or default, in either spelling", async () => {
    const [given] = await ask("freezeMultiModalProjector");
    expect(given!.facts).toEqual([
      {
        label: "decides",
        text: "multi_modal_projector: trained by freeze.freeze_multi_modal_projector: false (why.yaml:4)",
      },
    ]);
    const [fallback] = await ask("freeze_llm");
    expect(fallback!.answer).toBe("freeze.freeze_language_model is false, its default.");
    expect((await ask("training.learning_rate"))[0]!.answer).toBe("training.learningRate is 0.001, its default.");
  });

  it("names near things for an unknown one", async () => {
    const { code, err } = await thaw("why", "vison_tower", "--config", path);
    expect(code).toBe(1);
    expect(err).toContain("Nearest names: vision_tower");
  });
});

describe("thaw plan --diff", () => {
  it("says what changes from the other config's plan", async () => {
    const other = await file("stage1.yaml", `${EMPTY}freeze: { train_mm_proj_only: true }\n`);
    const here = await file("stage2.yaml", `${EMPTY}freeze: { freeze_multi_modal_projector: false }\n`);
    const { out, code } = await thaw("plan", here, "--diff", other);
    expect(code).toBe(0);
    expect(out).toMatch(/language_model\s+21 parameters, .* frozen\s+train/);
    expect((await thaw("plan", here, "--diff", here)).out).toContain("The plans are the same");
    const { differences } = (await thaw("plan", here, "--diff", other, "--json")).json<{
      differences: { component: string }[];
    }>();
    expect(new Set(differences.map(({ component }) => component))).toEqual(new Set(["language_model"]));
  });
});
