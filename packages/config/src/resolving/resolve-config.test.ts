import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { definePlugin } from "@thaw/core";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { resolveConfig, type ResolveOptions, type ResolvedConfig } from "./resolve-config.js";
import type { TrustedCode } from "../reading/trust.js";

let folder = "";
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), "thaw-config-"))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const flag = z.boolean().optional();
const freeze = definePlugin({
  name: "freeze-policy",
  apiVersion: 1,
  configKey: "freeze",
  optionsSchema: z.strictObject({
    freezeVisionTower: flag,
    trainMmProjOnly: flag,
    components: z
      .record(z.string(), z.union([z.enum(["frozen", "train"]), z.strictObject({ lastBlocks: z.number().int() })]))
      .optional(),
  }),
  apply() {},
});
const backend = definePlugin({
  name: "backend",
  apiVersion: 1,
  configKey: "backend",
  optionsSchema: z
    .enum(["auto", "wasm"])
    .meta({ synonyms: { webassembly: "wasm" } })
    .default("auto"),
  apply() {},
});
const source = z.union([
  z.string().meta({ format: "source" }),
  z.discriminatedUnion("type", [
    z.strictObject({ type: z.literal("iconify"), set: z.string() }),
    z.strictObject({ type: z.literal("captions"), path: z.string().meta({ format: "path" }) }),
  ]),
]);
const data = z.strictObject({ train: source.optional() });

function write(files: Readonly<Record<string, string>>): void {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
}

function resolve(options: Partial<ResolveOptions> = {}): Promise<ResolvedConfig> {
  return resolveConfig({
    folder,
    builtins: [freeze, backend] as ResolveOptions["builtins"],
    sections: () => ({ data }),
    requires: "nothing",
    ...options,
  });
}

const lineOf = (config: ResolvedConfig, path: string) => config.settings.find((setting) => setting.path === path);

describe("discovery", () => {
  it.each([
    ["thaw.config.yaml", "model: ./m\n"],
    ["thaw.config.yml", "model: ./m\n"],
    ["thaw.config.json", '{\n\t"model": "./m"\n}'],
    ["thaw.config.mjs", 'export default { model: "./m" };\n'],
    ["thaw.config.js", 'module.exports = { model: "./m" };\n'],
    ["thaw.config.ts", 'const model: string = "./m";\nexport default { model };\n'],
    [".thawrc", "model: ./m\n"],
    [".thawrc.yaml", "model: ./m\n"],
    ["package.json", '{ "name": "x", "thaw": { "model": "./m" } }'],
  ])("reads %s", async (name, text) => {
    write({ [name]: text });
    const config = await resolve();
    expect(config.findings).toEqual([]);
    expect(config.values.model).toBe(join(folder, "m"));
    expect(config.file).toBe(join(folder, name));
  });

  it("finds the project's config from a folder below, and takes a file or a folder as argument", async () => {
    write({
      "package.json": "{}",
      "thaw.config.yaml": "model: ./a\n",
      "deep/er/x.txt": "",
      "other/mine.yaml": "model: ./b\n",
      "other/thaw.config.json": '{ "model": "./c" }',
    });
    expect((await resolve({ folder: join(folder, "deep/er") })).values.model).toBe(join(folder, "a"));
    expect((await resolve({ config: "other/mine.yaml" })).values.model).toBe(join(folder, "other/b"));
    expect((await resolve({ config: "other" })).values.model).toBe(join(folder, "other/c"));
  });

  it.each([
    [{}, undefined, "THAW_CONFIG_NOT_FOUND"],
    [{}, "absent.yaml", "THAW_CONFIG_UNREADABLE"],
    [{ "x.txt": "" }, "x.txt", "THAW_CONFIG_KIND"],
    [{ "thaw.config.mjs": "throw new Error('boom.');" }, undefined, "THAW_CONFIG_THREW"],
    [{ "thaw.config.yaml": "extends: ./gone.yaml\n" }, undefined, "THAW_CONFIG_UNREADABLE"],
    [
      { "thaw.config.yaml": "extends: ./b.yaml\n", "b.yaml": "extends: ./thaw.config.yaml\n" },
      undefined,
      "THAW_CONFIG_EXTENDS_CYCLE",
    ],
    [{ "thaw.config.yaml": "extends: nowhere\n" }, undefined, "THAW_PRESET_NOT_FOUND"],
    [{ "thaw.config.yaml": "plugins: [nowhere]\n" }, undefined, "THAW_PLUGIN_NOT_FOUND"],
    [{ "thaw.config.yaml": "plugins: [./p.mjs]\n", "p.mjs": "export default 3;" }, undefined, "THAW_PLUGIN_SHAPE"],
    [
      {
        "thaw.config.yaml": "plugins:\n  - ./p.mjs\n",
        "p.mjs": 'export default { name: "P", apiVersion: 1, provides: {}, needs: ["Q"] };',
      },
      undefined,
      "THAW_CORE_PLUGIN_NEEDED",
    ],
  ])("fails on %j with argument %s by code %s %s", async (files, config, code) => {
    write(files as Record<string, string>);
    await expect(resolve({ config })).rejects.toMatchObject({ code });
  });

  it("lists every plugin name that was tried", async () => {
    write({ "thaw.config.yaml": "model: m\nplugins:\n  - board\n" });
    await expect(resolve()).rejects.toThrow(
      'The plugin "board" was not found; tried @thaw/plugin-board, thaw-plugin-board, board. Named in plugins ' +
        '(thaw.config.yaml:3:5). Install it ("npm install thaw-plugin-board")',
    );
  });
});

describe("provenance", () => {
  it("keeps spelling, file and line, and takes both spellings", async () => {
    write({
      "thaw.config.yaml":
        "model: m\nfreeze:\n  train_mm_proj_only: true\n  components:\n    visionTower: { last_blocks: 2 " +
        "}\ntraining: { maxSteps: 3 }\n",
    });
    const config = await resolve();
    expect(config.findings).toEqual([]);
    expect(lineOf(config, "freeze.train_mm_proj_only")).toEqual({
      path: "freeze.train_mm_proj_only",
      value: true,
      origin: "explicit",
      file: join(folder, "thaw.config.yaml"),
      line: 3,
    });
    expect(lineOf(config, "freeze.components.visionTower.last_blocks")).toMatchObject({ value: 2, line: 5 });
    expect(config.values.training.maxSteps).toBe(3);
    expect(config.plugins[0]?.settings?.map(({ path }) => path)).toEqual([
      "freeze.train_mm_proj_only",
      "freeze.components.visionTower.last_blocks",
    ]);
    expect(config.defaults).toContainEqual({ path: "training.microBatchSize", value: 8, origin: "default" });
    expect(config.defaults).toContainEqual({ path: "backend", value: "auto", origin: "default" });
  });

  it("finds lines in TypeScript as well as it can", async () => {
    write({
      "thaw.config.ts":
        'export default {\n  model: "./m",\n  freeze: {\n    // trainMmProjOnly below\n    trainMmProjOnly: ' +
        "true,\n  },\n};\n",
    });
    expect(lineOf(await resolve(), "freeze.trainMmProjOnly")).toMatchObject({ value: true, line: 5 });
  });

  it("merges bases by path (explicit), presets by package (preset) and --set (last)", async () => {
    write({
      "node_modules/thaw-preset-house/package.json": '{ "name": "thaw-preset-house", "exports": "./preset.yaml" }',
      "node_modules/thaw-preset-house/preset.yaml":
        "training:\n  learning_rate: 0.1\n  epochs: 2\nfreeze: { freeze_vision_tower: false }\n",
      "shared/base.yaml": "model: ./m\noutput: ./out\ntraining: { learning_rate: 0.2 }\n",
      "thaw.config.yaml": "extends: [house, ./shared/base.yaml]\nfreeze:\n  freeze_vision_tower: null\n",
    });
    const config = await resolve({ overrides: ["training.micro_batch_size=2", "training.optimizer.clip_norm=null"] });
    expect(config.findings).toEqual([]);
    expect(config.values).toMatchObject({
      model: join(folder, "shared/m"),
      output: join(folder, "shared/out"),
      training: { learningRate: 0.2, epochs: 2, microBatchSize: 2, optimizer: { clipNorm: null } },
    });
    expect(lineOf(config, "training.epochs")).toMatchObject({ origin: "preset", line: 3 });
    expect(lineOf(config, "training.learning_rate")).toMatchObject({
      origin: "explicit",
      file: join(folder, "shared/base.yaml"),
      line: 3,
    });
    expect(lineOf(config, "freeze.freeze_vision_tower")).toBeUndefined();
    expect(lineOf(config, "training.micro_batch_size")).toEqual({
      path: "training.micro_batch_size",
      value: 2,
      origin: "explicit",
    });
  });

  it("lets --set replace and empty the list of plugins, which files join", async () => {
    const plugin = (name: string): string => `export default { name: "${name}", apiVersion: 1, apply() {} };`;
    write({
      "base.yaml": "plugins: [./a.mjs]\n",
      "thaw.config.yaml": "extends: ./base.yaml\nmodel: m\nplugins: [./b.mjs]\n",
      "a.mjs": plugin("a"),
      "b.mjs": plugin("b"),
      "c.mjs": plugin("c"),
    });
    const names = async (...overrides: readonly string[]) =>
      (await resolve({ overrides })).plugins.map(({ name }) => name).filter((name) => name.length === 1);
    expect(await names()).toEqual(["a", "b"]);
    expect(await names("plugins=[./c.mjs]")).toEqual(["c"]);
    expect(await names("plugins=[]")).toEqual([]);
    expect(await names("plugins=null")).toEqual([]);
  });

  it("replaces a mapping of another type as a whole and resolves paths where they are written", async () => {
    write({
      "base/b.yaml": "model: m\ndata: { train: { type: captions, path: ./a.jsonl } }\n",
      "thaw.config.yaml": "extends: ./base/b.yaml\ndata: { train: { type: iconify, set: noto } }\n",
    });
    expect((await resolve()).sections["data"]).toEqual({ train: { type: "iconify", set: "noto" } });
    expect((await resolve({ config: "base/b.yaml" })).sections["data"]).toEqual({
      train: { type: "captions", path: join(folder, "base/a.jsonl") },
    });
    write({ "s.yaml": "data: { train: iconify:./x.json }\n", "t.yaml": "data: { train: ./t.jsonl }\n" });
    expect((await resolve({ config: "s.yaml" })).sections["data"]).toEqual({
      train: `iconify:${join(folder, "x.json")}`,
    });
    expect((await resolve({ config: "t.yaml" })).sections["data"]).toEqual({ train: join(folder, "t.jsonl") });
  });
});

describe("strict validation", () => {
  const cases: readonly (readonly [string, string, string, string])[] = [
    [
      "model: m\ntrainng: 1\n",
      "config",
      "Unknown key trainng at the top level (thaw.config.yaml:2:1). The nearest known key is training.",
      "Write training.",
    ],
    [
      "model: m\nfreeze:\n  trian_mm_proj_only: true\n",
      "config",
      "Unknown key trian_mm_proj_only in freeze (thaw.config.yaml:3:3). The nearest known key is train_mm_proj_only.",
      "Write train_mm_proj_only.",
    ],
    [
      "model: m\nfreeze:\n  trianMmProjOnly: true\n",
      "config",
      "Unknown key trianMmProjOnly in freeze (thaw.config.yaml:3:3). The nearest known key is trainMmProjOnly.",
      "Write trainMmProjOnly.",
    ],
    [
      "model: m\ntraining:\n  epochs: three\n",
      "config",
      'training.epochs is "three" (a text), but a number is expected (thaw.config.yaml:3:11).',
      "Give a number.",
    ],
    [
      "model: m\ntraining: { micro_batch_size: 1.5 }\n",
      "config",
      "training.micro_batch_size is 1.5 (a number), but a whole number is expected (thaw.config.yaml:2:31).",
      "Give a whole number.",
    ],
    [
      "model: m\ntraining: { epochs: 0 }\n",
      "config",
      "training.epochs is 0 (a number), but a number of more than 0 is expected (thaw.config.yaml:2:21).",
      "Give a number of more than 0.",
    ],
    [
      "model: m\nbackend: wsam\n",
      "config",
      'backend is "wsam" (a text), but one of "auto", "wasm" is expected (thaw.config.yaml:2:10).',
      "Write wasm.",
    ],
    [
      "model: m\nfreeze: { components: { language_model: { last_block: 2 } } }\n",
      "config",
      "Unknown key last_block in freeze.components.language_model (thaw.config.yaml:2:43). The nearest known key " +
        "is last_blocks.",
      "Write last_blocks.",
    ],
    [
      "model: m\ndata: { train: { type: captions, pth: a } }\n",
      "config",
      "data.train.path is missing (thaw.config.yaml:2:9).",
      "Add path, a text.",
    ],
    [
      "model: 3\n",
      "config",
      "model is 3 (a number), but a text or a mapping is expected (thaw.config.yaml:1:8).",
      "Give a text or a mapping.",
    ],
    [
      "model: m\nmodel: n\n",
      "config",
      "The file cannot be read: The key model stands twice in one mapping (thaw.config.yaml:2:1).",
      "Keep one of the two entries.",
    ],
    [
      "- a\n",
      "config",
      "A config is a mapping, but thaw.config.yaml holds a list.",
      "Write keys such as model: ./checkpoint.",
    ],
    [
      "model: m\nfreeze: { trainMmProjOnly: true, train_mm_proj_only: false }\n",
      "aliases-disagree",
      "Two spellings of one option have different values: freeze.trainMmProjOnly: true (thaw.config.yaml:2:11) " +
        "and freeze.train_mm_proj_only: false (thaw.config.yaml:2:34).",
      "Keep one of them, for example freeze.trainMmProjOnly.",
    ],
  ];
  it("quotes values as far as a person reads them", async () => {
    const [long, other] = ["a b ".repeat(20_000), "c d ".repeat(20_000)];
    write({ "thaw.config.json": JSON.stringify({ model: [long], runName: long, run_name: other, [long]: [long] }) });
    const { findings } = await resolve();
    expect(findings.map(({ rule }) => rule)).toContain("aliases-disagree");
    for (const { message, fix } of findings) expect(Math.max(message.length, fix.length)).toBeLessThan(2600);
  });
  it.each(cases)("reports %j", async (text, rule, message, fix) => {
    write({ "thaw.config.yaml": text });
    const { findings } = await resolve();
    expect(findings).toContainEqual(expect.objectContaining({ rule, severity: "error", message, fix }));
  });

  it("reports all problems at once and says what can still be planned", async () => {
    write({
      "thaw.config.yaml": "model: m\nseeed: 1\ntraining: { epochs: x, learning_rate: -1 }\ndata: { trian: noto }\n",
    });
    const config = await resolve({ requires: "training" });
    expect(config.findings.map(({ settings }) => settings[0]?.path).sort()).toEqual([
      "data.train",
      "data.trian",
      "seeed",
      "training.epochs",
      "training.learning_rate",
    ]);
    expect(config.isPlannable).toBe(false);
    write({ "thaw.config.yaml": "model: m\ntraining: { epochs: x }\n" });
    const second = await resolve();
    expect(second.isPlannable).toBe(true);
    expect(second.values.training.learningRate).toBe(1e-3);
  });

  it("names what is missing", async () => {
    write({ "thaw.config.yaml": "seed: 1\n" });
    expect((await resolve({ requires: "training" })).findings.map(({ message }) => message)).toEqual([
      "model is missing (thaw.config.yaml).",
      "data.train is missing (thaw.config.yaml).",
      "The run has no end: training.epochs and training.max_steps are both missing (thaw.config.yaml).",
    ]);
  });
});

describe("plugins", () => {
  const plugin = (name: string, key: string, body = "") =>
    `const definition = { name: "${name}", apiVersion: 1, configKey: "${key}", apply() {}, ${body} };\nexport ` +
    `default Object.assign((options, settings) => ({ name: "${name}", apiVersion: 1, options, settings, apply() ` +
    "{} }), { definition });\n";

  it("resolves them from the file that names them, and hands over their section with provenance", async () => {
    write({
      "thaw.config.yaml": "extends: ./base/base.yaml\nplugins: [./mine.ts, board]\nmine: { some_size: 3 }\n",
      "mine.ts": `type Size = number;\n${plugin("mine", "mine")}`,
      "base/base.yaml": "model: ./m\nplugins: [./other.mjs, ../mine.ts]\n",
      "base/other.mjs": plugin("other", "other"),
      "node_modules/thaw-plugin-board/package.json":
        '{ "name": "thaw-plugin-board", "type": "module", "exports": { ".": { "import": "./index.js" } } }',
      "node_modules/thaw-plugin-board/index.js": plugin("board", "board"),
    });
    const config = await resolve();
    expect(config.findings).toEqual([]);
    expect(config.plugins.map(({ name }) => name)).toEqual(["freeze-policy", "backend", "other", "mine", "board"]);
    expect(config.plugins[3]).toMatchObject({
      options: { someSize: 3 },
      settings: [{ path: "mine.some_size", line: 3 }],
    });
  });

  it("takes made plugins from TypeScript, in place of a built-in of the same name", async () => {
    write({
      "thaw.config.ts":
        'const made = { name: "freeze-policy", apiVersion: 1, configKey: "freeze", tag: 7, apply() {} };\nexport ' +
        'default { model: "m", plugins: [[made], false], freeze: {} };\n',
    });
    const config = await resolve();
    expect(config.plugins.find(({ name }) => name === "freeze-policy")).toMatchObject({ tag: 7 });
    expect(config.findings.map(({ message }) => message)).toEqual([
      "The plugin freeze-policy has its options twice: where it was made in plugins, and in freeze.",
    ]);
  });
});

describe("saved configs", () => {
  it("mean the same from another folder and keep the origins", async () => {
    write({
      "node_modules/thaw-preset-house/package.json": '{ "name": "thaw-preset-house", "exports": "./preset.yaml" }',
      "node_modules/thaw-preset-house/preset.yaml": "training: { epochs: 2 }\n",
      "base.yaml": "plugins: [./b.mjs]\n",
      "b.mjs":
        'const definition = { name: "b", apiVersion: 1, apply() {} };\nexport default Object.assign(() => ({ ' +
        'name: "b", apiVersion: 1, apply() {} }), { definition });\n',
      "thaw.config.yaml":
        "extends: [house, ./base.yaml]\nmodel: ./m\nplugins: [./b.mjs]\nfreeze: { train_mm_proj_only: true " +
        "}\ndata: { train: ./t.jsonl }\n",
    });
    const first = await resolve({ requires: "training", overrides: ["seed=5"] });
    write({ "runs/one/config.json": JSON.stringify(first.saved) });
    await expect(resolve({ config: "runs/one/config.json" })).rejects.toMatchObject({ code: "THAW_CONFIG_UNTRUSTED" });
    const trust = (): Promise<TrustedCode> => Promise.resolve(first.code);
    const second = await resolve({ config: "runs/one/config.json", requires: "training", trust });
    expect(second.findings).toEqual([]);
    expect(second.values).toEqual(first.values);
    expect(second.sections).toEqual(first.sections);
    expect(second.settings.filter(({ path }) => path !== "plugins")).toEqual(
      first.settings.filter(({ path }) => path !== "plugins"),
    );
    expect(second.plugins.map(({ name }) => name)).toEqual(["freeze-policy", "backend", "b"]);
    expect(second.plugins[0]?.settings).toMatchObject([
      { path: "freeze.train_mm_proj_only", file: join(folder, "thaw.config.yaml"), line: 4 },
    ]);
    const removed = await resolve({
      config: "runs/one/config.json",
      overrides: ["freeze.trainMmProjOnly=null", "plugins=null", "data.train={ type: iconify, set: noto }"],
    });
    expect(removed.settings.map(({ path }) => path).toSorted()).toEqual([
      "data.train.set",
      "data.train.type",
      "model",
      "seed",
      "training.epochs",
    ]);
    expect(removed.plugins.map(({ name }) => name)).toEqual(["freeze-policy", "backend"]);
    const third = await resolve({
      config: "runs/one/config.json",
      overrides: ["training.epochs=9"],
      trust: "all",
    });
    expect(third.values.training.epochs).toBe(9);
    expect(lineOf(third, "training.epochs")).toEqual({ path: "training.epochs", value: 9, origin: "explicit" });
    expect(third.saved["$saved"]).toMatchObject({ overrides: ["seed=5"] });
  });
});

it("says of a list of words which are meant, of a wrong one which is near, and of a synonym which it is", async () => {
  const fixes = async (text: string) => {
    write({ "thaw.config.yaml": text });
    return (await resolve()).findings.map(({ message, fix }) => [message, fix]);
  };
  expect(await fixes("data: { train: { type: parquet, path: x } }\n")).toEqual([
    [
      'data.train.type is "parquet" (a text), but one of "iconify", "captions" is expected (thaw.config.yaml:1:24).',
      'Give one of "iconify", "captions".',
    ],
  ]);
  expect((await fixes("backend: webassembly\n"))[0]![1]).toBe("Write wasm.");
  expect((await fixes("backend: wsam\n"))[0]![1]).toBe("Write wasm.");
});

it.each([
  ["data: {\n  train: x\n", "Indent what belongs to a key"],
  ["model: ./x\n\tdata: y\n", "Indent by spaces."],
  ['model: "./x\n', "Put in what is missing there"],
  ["run_name: a: b\n", "Put quotes around a text that holds a colon."],
  ["model: @x\n", "Correct the syntax there"],
])("says of %j what to do, and not that what it holds is missing", async (text, fix) => {
  write({ "thaw.config.yaml": text });
  const { findings } = await resolve({ requires: "training" });
  expect(findings.map((finding) => finding.fix.startsWith(fix))).toEqual([true]);
  expect(findings[0]!.message).toContain("The file cannot be read");
});

it("reads an empty config as one, and says which of two side by side is read", async () => {
  const place = mkdtempSync(join(tmpdir(), "thaw-places-"));
  writeFileSync(join(place, "package.json"), "{}");
  writeFileSync(join(place, "thaw.config.yaml"), "");
  const found = () => resolveConfig({ folder: place, requires: "model" });
  expect((await found()).findings.map(({ message }) => message)).toEqual(["model is missing (thaw.config.yaml)."]);
  writeFileSync(join(place, "thaw.config.json"), '{ "model": "x" }');
  writeFileSync(join(place, "thaw.config.yaml"), "model: x\n");
  expect((await found()).findings).toMatchObject([
    { severity: "warning", message: "thaw.config.yaml is read; thaw.config.json beside it is not." },
  ]);
  expect((await resolveConfig({ folder: place, config: "thaw.config.json" })).findings).toEqual([]);
  rmSync(place, { recursive: true });
});

it("says of very many unknown keys how many they are, with the nearest of the first alone", async () => {
  // So many that to compare each with each would take minutes
  const keys = Array.from({ length: 50_000 }, (_, index) => `key_${index}: 1`).join("\n");
  writeFileSync(join(folder, "thaw.config.yaml"), `model: ./m\ntraining: { epochs: 1 }\n${keys}\n`);
  const { findings } = await resolve();
  expect(findings.length).toBeLessThan(30);
  expect(findings.map(({ message }) => message).join("\n")).toContain("49980 more unknown keys");
});
