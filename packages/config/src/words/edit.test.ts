import type { Edit } from "@thaw/core";
import { describe, expect, it } from "vitest";
import { applyEdits } from "./edit.js";

const file = "thaw.yaml";
const YAML = `# my run
model: ./llava   # local
freeze:
  # only the projector
  train_mm_proj_only: true
  freeze_vision_tower: true # a reminder
  components: { vison_tower: frozen, language_model: frozen }
training:
    max_steps: 10

    # last
    schedule: { type: cosine }
output: ./runs
`;
const apply = (text: string, ...edits: Edit[]) => applyEdits(text, edits);

describe("applyEdits", () => {
  it("renames a key in block and flow mappings, and in quotes", () => {
    expect(
      apply(YAML, { action: "rename", file, path: "freeze.components.vison_tower", name: "vision_tower" }).text,
    ).toBe(YAML.replace("vison_tower", "vision_tower"));
    expect(apply('"freez":\n  a: 1\n', { action: "rename", file, path: "freez", name: "freeze" }).text).toBe(
      '"freeze":\n  a: 1\n',
    );
  });

  it("removes a line with its comment, and a key of a flow mapping with its comma", () => {
    expect(apply(YAML, { action: "remove", file, path: "freeze.freeze_vision_tower" }).text).toBe(
      YAML.replace("  freeze_vision_tower: true # a reminder\n", ""),
    );
    expect(apply(YAML, { action: "remove", file, path: "freeze.components.vison_tower" }).text).toBe(
      YAML.replace("vison_tower: frozen, ", ""),
    );
    expect(apply(YAML, { action: "remove", file, path: "freeze.components.language_model" }).text).toBe(
      YAML.replace(", language_model: frozen", ""),
    );
    expect(apply(YAML, { action: "remove", file, path: "training.schedule" }).text).toBe(
      YAML.replace("    schedule: { type: cosine }\n", ""),
    );
  });

  it("sets a value in place, and makes a key at the end of the mapping", () => {
    expect(apply(YAML, { action: "set", file, path: "training.max_steps", value: 20 }).text).toBe(
      YAML.replace("max_steps: 10", "max_steps: 20"),
    );
    expect(apply(YAML, { action: "set", file, path: "training.activation_checkpointing", value: "auto" }).text).toBe(
      YAML.replace("type: cosine }\n", "type: cosine }\n    activation_checkpointing: auto\n"),
    );
    expect(apply(YAML, { action: "set", file, path: "checks.rules.nothing-trains", value: "off" }).text).toBe(
      `${YAML.trimEnd()}\nchecks: { rules: { nothing-trains: "off" } }\n`,
    );
  });

  it("edits JSON without touching the rest", () => {
    const json = '{\n  "model": "x",\n  "freeze": { "a": 1, "b": [1, 2] }\n}\n';
    expect(apply(json, { action: "remove", file, path: "freeze.b" }).text).toBe(json.replace(', "b": [1, 2]', ""));
    expect(apply(json, { action: "rename", file, path: "freeze.a", name: "c" }).text).toBe(json.replace('"a"', '"c"'));
    expect(apply(json, { action: "set", file, path: "freeze.on", value: true }).text).toBe(
      json.replace("[1, 2] }", '[1, 2], "on": true }'),
    );
    expect(apply(json, { action: "set", file, path: "training.x", value: "auto" }).text).toBe(
      json.replace(" }\n}", ' }, "training": { "x": "auto" }\n}'),
    );
  });

  it("applies several edits in turn and skips what is not there or would change more", () => {
    const missing: Edit = { action: "remove", file, path: "freeze.nothing" };
    const result = apply(YAML, { action: "remove", file, path: "freeze.freeze_vision_tower" }, missing, {
      action: "rename",
      file,
      path: "freeze.train_mm_proj_only",
      name: "trainMmProjOnly",
    });
    expect(result.skipped).toEqual([missing]);
    expect(result.done).toHaveLength(2);
    expect(result.text).toContain("trainMmProjOnly: true");
    expect(apply("a: &x { b: 1 }\nc: *x\n", { action: "remove", file, path: "a.b" }).done).toEqual([]);
    expect(apply("a: [", missing).skipped).toEqual([missing]);
  });
});
