import { readFileSync } from "node:fs";
import { join } from "node:path";
import { configSchema } from "@thaw/config";
import { loraSchema as requestedLora } from "@thaw/plugin-freeze-policy";
import { loraSchema } from "@thaw/plugin-lora";
import { describe, expect, it } from "vitest";
import { optionShape, optionsPage } from "../../scripts/docs/options-page.mjs";
import { root } from "./blocks.js";

const page = optionsPage(optionShape());
const keys = [...page.matchAll(/^\| \[?`([^`]+)`/gm)].map(([, key]) => key!);

describe("docs/options.md", () => {
  it("is what the schemas say", () => {
    expect(readFileSync(join(root, "docs/options.md"), "utf8"), "run node scripts/docs.mjs").toBe(page);
  });

  it("has a description for every option, or cannot be made", () => {
    const described = { type: "object", description: "A section.", properties: { isNew: { type: "boolean" } } };
    expect(() => optionsPage({ type: "object", properties: { section: described } })).toThrow(
      "The option section.is_new has no description in its schema.",
    );
  });

  it("names every key of the config and of each section", () => {
    const sections = ["data", "freeze", "lora", "token_rows", "checks", "projector_only", "backend"];
    const own = Object.keys(configSchema.shape).map((key) => key.replace("runName", "run_name"));
    expect(keys.filter((key) => page.includes(`| [\`${key}\`](#${key})`) || own.includes(key)).sort()).toEqual(
      [...own, ...sections].sort(),
    );
    expect(keys).toEqual(
      expect.arrayContaining([
        "training.components.*.schedule",
        "projector_only.feature_cache.disk",
        "backend.cache_folder",
        "augment.flip",
      ]),
    );
  });

  it("prints defaults, also those that another schema or rule fills in", () => {
    for (const row of [
      "training.micro_batch_size` | integer ≥ 1 | `8`",
      "freeze.freeze_vision_tower` | `true`, `false` | `true`",
      "lora.rank` | integer ≥ 1 | `8`",
      "memory_limit` | integer ≥ 1 or text | `4GiB`",
    ]) {
      expect(page).toContain(row);
    }
    expect(page).toContain("| `model.path` | path | required |");
  });

  it("describes what adapters take by what may be asked of them", () => {
    expect(Object.keys(requestedLora.shape).sort()).toEqual(Object.keys(loraSchema.shape).sort());
  });
});
