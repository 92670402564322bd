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
  // Presets hold no code, and the testing kit is installed beside a plugin's own tests.
  const importable = published.filter((name) => name !== "@thaw/presets" && name !== "@thaw/testing");
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
