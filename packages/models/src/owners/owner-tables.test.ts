import { ownerByPrefix } from "@thaw/contracts";
import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { OWNER_TABLES } from "./owner-tables.js";
import { findOwners, knownFamilies, knownModelTypes } from "../open/families.js";

const goldens = new URL("../../../../test/fixtures/goldens/", import.meta.url);
const readJson = <T>(path: string): T => JSON.parse(readFileSync(new URL(path, goldens), "utf8")) as T;
interface Judged {
  readonly checkpoint: Readonly<Record<string, string>>;
  readonly module?: Readonly<Record<string, string>>;
}
const { models } = readJson<{ models: Readonly<Record<string, Judged>> }>("ownership.json");

/** The owner by the judged prefixes. */
function judged(name: string, owners: Readonly<Record<string, string>>): string | undefined {
  const prefixes = Object.keys(owners).filter((prefix) => name.startsWith(`${prefix}.`));
  return owners[prefixes.sort((left, right) => right.length - left.length)[0] ?? ""];
}

describe("owner tables", () => {
  for (const [modelType, { checkpoint, module = {} }] of Object.entries(models)) {
    it(`owns every judged name of ${modelType}, and no other component does`, () => {
      const { components } = findOwners(modelType)!;
      for (const owners of [checkpoint, module]) {
        for (const prefix of Object.keys(owners)) {
          for (const name of [`${prefix}.weight`, `${prefix}.layers.10.mlp.fc1.bias`])
            expect(`${name} ${ownerByPrefix(name, components)}`).toBe(`${name} ${judged(name, owners)}`);
        }
      }
    });
  }

  it("claims no prefix twice and never by a part of a segment", () => {
    for (const { modelType, components } of knownModelTypes().map((type) => findOwners(type)!)) {
      const prefixes = components.flatMap((component) => component.prefixes);
      expect(new Set(prefixes).size, modelType).toBe(prefixes.length);
      for (const prefix of prefixes) {
        const longest = Math.max(
          ...prefixes.filter((other) => `${prefix}x`.startsWith(`${other}.`)).map((other) => other.length),
          -1,
        );
        const around = components.find((component) =>
          component.prefixes.some((other) => other.length === longest && `${prefix}x`.startsWith(`${other}.`)),
        )?.name;
        expect(ownerByPrefix(`${prefix}x.weight`, components), `${modelType} ${prefix}`).toBe(around);
      }
    }
  });

  it("lists every model type once, in its family or in a table", () => {
    const types = [...OWNER_TABLES.map(({ modelType }) => modelType), ...knownFamilies()];
    expect(new Set(types).size).toBe(types.length);
    for (const modelType of ["gemma3", "internvl", "llama4", "mistral3", "moss_vl", "qwen3_vl", "qwen3_vl_moe"])
      expect(findOwners(modelType), modelType).toBeDefined();
  });

  const folders = readdirSync(goldens, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => ({
      folder: name,
      table: findOwners(readJson<{ model_type: string }>(`${name}/config.json`).model_type),
    }));
  for (const { folder, table } of folders) {
    if (table === undefined) continue;
    it(`agrees with the reference on all parameters of ${folder}, tied and module names included`, () => {
      const golden = readJson<{
        owner: Readonly<Record<string, string>>;
        module_names?: Readonly<Record<string, string>>;
      }>(`${folder}/golden.json`);
      for (const [name, owner] of Object.entries(golden.owner)) {
        expect(`${name} ${ownerByPrefix(name, table.components)}`).toBe(`${name} ${owner}`);
        const module = golden.module_names?.[name];
        if (module !== undefined)
          expect(`${module} ${ownerByPrefix(module, table.components)}`).toBe(`${module} ${owner}`);
      }
    });
  }
});
