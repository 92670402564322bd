import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { configAliases, loadConfig } from "./load-config.js";

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
  expect(Object.keys(configAliases()).toSorted()).toEqual(importable.toSorted());
  writeFileSync(
    join(folder, "far.ts"),
    [
      ...importable.map((name, index) => `import * as module${index} from "${name}";`),
      `const all: readonly object[] = [${importable.map((_, index) => `module${index}`).join(", ")}];`,
      "const definition = { name: `far-${all.filter((one) => Object.keys(one).length > 0).length}`, apiVersion: 1 };",
      "export default Object.assign(() => ({ ...definition, apply() {} }), { definition: { ...definition, " +
        "apply() {} } });",
    ].join("\n"),
  );
  writeFileSync(join(folder, "far.config.yaml"), "plugins: [./far.ts]\n");
  const { plugins, findings } = await loadConfig(join(folder, "far.config.yaml"), { requires: "nothing" });
  expect(findings).toEqual([]);
  expect(plugins.map(({ name }) => name)).toContain(`far-${importable.length}`);
});
