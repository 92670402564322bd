import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Tensor } from "@tensorflow/tfjs-core";
import { ThawError } from "@thaw/core";
import { configJsonSchema } from "@thaw/config";
import { afterAll, expect, it } from "vitest";
import { evaluationSources } from "./data-section.js";
import { configAliases, hostSections, loadConfig, type LoadedConfig } from "./load-config.js";

const folder = mkdtempSync(join(tmpdir(), "thaw-load-"));
afterAll(() => rmSync(folder, { recursive: true }));

it("takes the backend's folders from the file that names them", async () => {
  mkdirSync(join(folder, "shared"));
  writeFileSync(join(folder, "shared", "machine.yaml"), "backend: { name: wasm, cache_folder: ./libraries }\n");
  writeFileSync(join(folder, "thaw.config.yaml"), "extends: ./shared/machine.yaml\nbackend: { project_folder: .. }\n");
  const { saved } = await loadConfig(join(folder, "thaw.config.yaml"), { requires: "nothing" });
  expect(saved["backend"]).toMatchObject({
    name: "wasm",
    cacheFolder: join(folder, "shared", "libraries"),
    projectFolder: join(folder, ".."),
  });
});

it("lets a plugin in TypeScript outside the repository import every package that Thaw publishes", async () => {
  const packages = join(import.meta.dirname, "../../../");
  const published = readdirSync(packages).map(
    (name) => (JSON.parse(readFileSync(join(packages, name, "package.json"), "utf8")) as { name: string }).name,
  );
  // Presets hold no code, the testing kit is installed beside a plugin's own tests, the last is a command.
  const others = ["@thaw/presets", "@thaw/testing", "create-thaw-plugin"];
  const importable = published.filter((name) => !others.includes(name));
  importable.push("@tensorflow/tfjs-core");
  expect(Object.keys(configAliases()).toSorted()).toEqual(importable.toSorted());
  writeFileSync(
    join(folder, "far.ts"),
    [
      ...importable.map((name, index) => `import * as module${index} from "${name}";`),
      `const all: readonly object[] = [${importable.map((_, index) => `module${index}`).join(", ")}];`,
      'import { ThawError } from "@thaw/core";',
      'import { Tensor } from "@tensorflow/tfjs-core";',
      "const definition = { name: `far-${all.filter((one) => Object.keys(one).length > 0).length}`, apiVersion: 1, " +
        "classes: [ThawError, Tensor] };",
      "export default Object.assign(() => ({ ...definition, apply() {} }), { definition: { ...definition, " +
        "apply() {} } });",
    ].join("\n"),
  );
  writeFileSync(join(folder, "far.config.yaml"), "plugins: [./far.ts]\n");
  const { plugins, findings } = await loadConfig(join(folder, "far.config.yaml"), { requires: "nothing" });
  expect(findings).toEqual([]);
  const far = plugins.find(({ name }) => name === `far-${importable.length}`) as unknown as { classes: unknown };
  // The classes of this process: another copy would have an engine and registries of its own.
  expect(far.classes).toEqual([ThawError, Tensor]);
});

it("knows the data formats of a config's plugins, and of no other config", async () => {
  writeFileSync(
    join(folder, "haiku.mjs"),
    [
      'import { z } from "zod";',
      "const haiku = {",
      '  type: "haiku", summary: "Poems.", schema: z.strictObject({ season: z.enum(["spring", "autumn"]) }),',
      "  nameOf: ({ season }) => `haiku-${season}`, open: () => Promise.reject(new Error()),",
      "};",
      'export default { name: "HaikuPlugin", apiVersion: 1, provides: { formats: [haiku] } };',
    ].join("\n"),
  );
  symlinkSync(join(import.meta.dirname, "../../../../node_modules"), join(folder, "node_modules"));
  const load = async (text: string): Promise<LoadedConfig> => {
    writeFileSync(join(folder, "haiku.yaml"), text);
    return loadConfig(join(folder, "haiku.yaml"), { requires: "nothing" });
  };
  const set = "data: { evaluation: { type: haiku, season: SEASON } }\n";
  const good = await load(`plugins: [./haiku.mjs]\n${set.replace("SEASON", "spring")}`);
  expect(good.findings).toEqual([]);
  expect(Object.keys(evaluationSources(good))).toEqual(["haiku-spring"]);
  expect(JSON.stringify(configJsonSchema(hostSections(good.registry), good.named))).toContain('"haiku"');
  const wrong = await load(`plugins: [./haiku.mjs]\n${set.replace("SEASON", "sprong")}`);
  expect(wrong.findings[0]).toMatchObject({ fix: "Write spring.", settings: [{ line: 2 }] });
  const without = await load(set);
  expect(without.findings[0]!.settings[0]!.path).toMatch(/^data\.evaluation/);
});

it("knows the optimizers of a config's plugins, in checks and in the schema", async () => {
  writeFileSync(
    join(folder, "mine.ts"),
    [
      'import { API_VERSION, definePlugin, OPTIMIZERS } from "@thaw/core";',
      'import { z } from "zod";',
      'const sgd = OPTIMIZERS.find(({ type }) => type === "sgd")!;',
      'const mine = { ...sgd, type: "mine", schema: sgd.schema.safeExtend({ type: z.literal("mine") }) };',
      'export default definePlugin({ name: "Mine", apiVersion: API_VERSION, provides: { optimizers: [mine] } });',
    ].join("\n"),
  );
  const load = (text: string): Promise<LoadedConfig> => {
    writeFileSync(join(folder, "mine.yaml"), text);
    return loadConfig(join(folder, "mine.yaml"), { requires: "nothing" });
  };
  const training = "training: { optimizer: { type: mine, momentum: 0.5 } }\n";
  const good = await load(`plugins: [./mine.ts]\n${training}`);
  expect(good.findings).toEqual([]);
  expect(good.values.training.optimizer).toMatchObject({ type: "mine", momentum: 0.5 });
  expect(JSON.stringify(configJsonSchema({}, good.named))).toContain('"mine"');
  expect((await load(training)).findings[0]).toMatchObject({ settings: [{ path: "training.optimizer.type" }] });
});

it("makes the metrics of data.metrics of what plugins provide, for all sets and for one", async () => {
  writeFileSync(
    join(folder, "edits.mjs"),
    [
      'import { z } from "zod";',
      "const edits = {",
      '  type: "letter_edits", summary: "Letters.", better: "lower",',
      "  schema: z.strictObject({ most: z.number().default(9) }),",
      '  make: ({ most }) => ({ reads: "answers", score: (answers) => ({ value: Math.min(most, answers.length) }) }),',
      "};",
      // A schema of no maker that is known, as valibot's and arktype's are.
      "const validate = (value) =>",
      "  Object.keys(value).length > 0 ? { issues: [{ message: 'no options', path: [Object.keys(value)[0]] }] } :",
      "  { value: { most: 1 } };",
      "const schema = { '~standard': { version: 1, vendor: 'own', validate } };",
      "const plain = { ...edits, type: 'plain', schema };",
      'export default { name: "EditsPlugin", apiVersion: 1, provides: { metrics: [edits, plain] } };',
    ].join("\n"),
  );
  const load = (metrics: string, more = ""): Promise<LoadedConfig> => {
    const lines = ["plugins: [./edits.mjs]", `data:`, `  metrics: ${metrics}`, ...(more === "" ? [] : [`  ${more}`])];
    writeFileSync(join(folder, "edits.yaml"), `${lines.join("\n")}\n`);
    return loadConfig(join(folder, "edits.yaml"), { requires: "nothing" });
  };
  const sets = "evaluation: { a: iconify:noto, b: { type: iconify, set: noto, metrics: [plain, perplexity] } }";
  const good = await load("[token_f1, { type: letter_edits, most: 3 }, { type: bleu, name: b2, max_order: 2 }]", sets);
  expect(good.findings).toEqual([]);
  const { a, b } = evaluationSources(good);
  expect(a!.metrics.map(({ name, better }) => [name, better])).toEqual([
    ["tokenF1", "higher"],
    ["letterEdits", "lower"],
    ["b2", "higher"],
  ]);
  expect(b!.metrics.map(({ name, metric }) => [name, metric.reads])).toEqual([
    ["plain", "answers"],
    ["perplexity", "loss"],
  ]);
  expect(Object.keys(b!.sets)).not.toContain("metrics");
  expect(JSON.stringify(configJsonSchema(hostSections(good.registry), good.named))).toContain('"letter_edits"');

  const problem = async (metrics: string, more?: string): Promise<readonly [string, string]> => {
    const { findings } = await load(metrics, more);
    expect(findings).toHaveLength(1);
    return [findings[0]!.message, findings[0]!.fix];
  };
  expect(await problem("[tokn_f1]")).toEqual([
    expect.stringMatching(/^data\.metrics\.0 is "tokn_f1" .* but one of "loss", .* \(.*edits\.yaml:3:13\)\.$/),
    "Write token_f1.",
  ]);
  expect(await problem("[{ type: letter_edits, mots: 3 }]")).toEqual([
    expect.stringContaining("mots"),
    expect.stringContaining("most"),
  ]);
  expect((await problem("[{ type: plain, most: 3 }]"))[0]).toContain("no options");
  expect((await problem("[bleu, { type: bleu, max_order: 2 }]"))[0]).toContain("a name of its own");
  expect((await problem("[{ type: perplexity, name: loss }]"))[0]).toContain("a name of its own");
  expect((await problem("[cider]", "captions: false"))[0]).toContain("captions: false");
  expect((await problem("[{ type: choice_accuracy, by: answer }]", "captions: false"))[0]).toContain("captions: false");
  const inSet = sets.replace("[plain, perplexity]", "[plan]");
  expect(await problem("[bleu]", inSet)).toEqual([
    expect.stringMatching(/^data\.evaluation\.b\.metrics\.0 is "plan"/),
    "Write plain.",
  ]);
});
