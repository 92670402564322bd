import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { loadConfig } from "./load-config.js";

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
