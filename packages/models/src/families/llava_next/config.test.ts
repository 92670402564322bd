import { describe, expect, it } from "vitest";
import { configReader } from "../../reading/config-reader.js";
import { readLlavaOnevisionConfig } from "../llava_onevision/config.js";
import { readLlavaNextConfig } from "./config.js";

const reader = (raw: Readonly<Record<string, unknown>>) => configReader("config.json", raw);

describe("configs of models with tiles", () => {
  it("have the defaults of transformers", () => {
    const next = readLlavaNextConfig(reader({}));
    expect(next).toMatchObject({ imageTokenId: 32000, featureStates: [23], keepClassToken: false, side: 24 });
    expect(next.pinpoints).toHaveLength(5);
    expect(next.tileLimit).toBeUndefined();
    const onevision = readLlavaOnevisionConfig(reader({}));
    expect(onevision).toMatchObject({ imageTokenId: 151646, featureStates: [26], keepClassToken: true, side: 27 });
    expect(onevision.tileLimit).toBe(9);
    expect(onevision.pinpoints).toHaveLength(36);
  });

  it.each([
    ["a class token that stays", { vision_feature_select_strategy: "full" }, "vision_feature_select_strategy"],
    [
      "a Pixtral tower",
      { vision_config: { model_type: "pixtral" }, vision_feature_select_strategy: "full" },
      "pixtral",
    ],
    ["pinpoints that are none", { image_grid_pinpoints: [[336]] }, "image_grid_pinpoints"],
  ])("refuse %s by name", (_, raw, named) => {
    expect(() => readLlavaNextConfig(reader(raw))).toThrow(new RegExp(named, "iu"));
  });

  it.each([
    ["a first patch that goes", { vision_feature_select_strategy: "default" }, "vision_feature_select_strategy"],
    ["an aspect ratio without a bound", { vision_aspect_ratio: "pad" }, "vision_aspect_ratio"],
  ])("refuse %s by name, where the tower is SigLIP", (_, raw, named) => {
    expect(() => readLlavaOnevisionConfig(reader(raw))).toThrow(named);
  });
});
