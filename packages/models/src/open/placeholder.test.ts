import { describe, expect, it } from "vitest";
import { componentSegments } from "../owners/component-segments.js";
import { OWNER_TABLES } from "../owners/owner-tables.js";
import { placeholderModel } from "./placeholder.js";

describe("placeholderModel", () => {
  it("has the base components, those that are declared, and one stand-in parameter each", () => {
    const model = placeholderModel("Qwen/Qwen2-VL", ["audio_tower", "language_model"]);
    expect(model.parameters.map(({ name }) => name)).toEqual([
      "vision_tower",
      "multi_modal_projector",
      "language_model",
      "audio_tower",
    ]);
    expect(model.isPlaceholder).toBe(true);
    expect(() => model.load([])).toThrow("There is no checkpoint to read. At Qwen/Qwen2-VL.");
  });
});

describe("componentSegments", () => {
  it("orders components by data flow and leaves out those without parameters", () => {
    const { components } = OWNER_TABLES.find(({ modelType }) => modelType === "qwen2_5_omni_thinker")!;
    const parameters = [
      "model.norm.weight",
      "visual.merger.mlp.0.weight",
      "visual.blocks.0.norm1.weight",
      "audio_tower.proj.weight",
    ].map((name) => ({ name, shape: [1], dtype: "F32" }));
    expect(
      componentSegments(components, parameters).map(({ name, after, parameters: own }) => [name, after, own.length]),
    ).toEqual([
      ["vision_tower", [], 1],
      ["multi_modal_projector", ["vision_tower"], 1],
      ["audio_projector", [], 1],
      ["language_model", ["multi_modal_projector", "audio_projector"], 1],
    ]);
  });

  it("takes any number of towers and projectors from their names, and puts the rest behind the language model", () => {
    const names = [
      "depth_tower",
      "language_model",
      "multi_modal_projector",
      "talker",
      "touch_projector",
      "touch_tower",
    ];
    const components = [...names, "vision_tower"].map((name) => ({ name, prefixes: [name] }));
    const parameters = components.map(({ name }) => ({ name: `${name}.weight`, shape: [1], dtype: "F32" }));
    expect(componentSegments(components, parameters).map(({ name, after }) => [name, after])).toEqual([
      ["depth_tower", []],
      ["touch_tower", []],
      ["vision_tower", []],
      ["multi_modal_projector", ["depth_tower", "vision_tower"]],
      ["touch_projector", ["touch_tower"]],
      ["language_model", ["multi_modal_projector", "touch_projector"]],
      ["talker", ["language_model"]],
    ]);
  });
});
