import { readFileSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { findFamily, findOwners } from "../open/families.js";

const goldens = fileURLToPath(new URL("../../../../test/fixtures/goldens/", import.meta.url));
const folders = (await readdir(goldens, { withFileTypes: true }))
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => {
    const { model_type: type } = JSON.parse(readFileSync(`${goldens}${name}/config.json`, "utf8")) as {
      model_type: string;
    };
    return { name, type };
  })
  .filter(({ type }) => findFamily(type) !== undefined || findOwners(type)?.moduleNames !== undefined);

/** The longest prefix of whole segments applies. */
function moduleName(pairs: readonly (readonly [string, string])[], name: string): string {
  const [prefix, module] = pairs
    .filter(([own]) => name === own || name.startsWith(`${own}.`))
    .toSorted((left, right) => right[0].length - left[0].length)[0] ?? ["", ""];
  return module + name.slice(prefix.length);
}

describe("module names", () => {
  it.each(folders)(
    "of $name are those that transformers gives its modules, also of a file that has them already",
    async ({ name: folder, type }) => {
      const golden = JSON.parse(await readFile(`${goldens}${folder}/golden.json`, "utf8")) as {
        owner: Record<string, string>;
        module_names: Record<string, string>;
      };
      const shared = Object.values(golden.module_names);
      for (const name of Object.keys(golden.owner)) {
        const wanted = golden.module_names[name] ?? name;
        // One tensor of all experts has no name of its own for one of them.
        if (shared.filter((module) => module === wanted).length > 1) continue;
        expect(moduleName(findOwners(type)?.moduleNames ?? [], name)).toBe(wanted);
        expect(moduleName(findOwners(type)?.moduleNames ?? [], wanted)).toBe(wanted);
      }
    },
  );
});
