import { describe, expect, it } from "vitest";
import { configReader } from "../../reading/config-reader.js";
import { readInternVlConfig } from "./config.js";

const read = (raw: Readonly<Record<string, unknown>>) => readInternVlConfig(configReader("config.json", raw));

describe("config.json of InternVL", () => {
  it("has the defaults of transformers", () => {
    expect(read({})).toMatchObject({ imageTokenId: 151667, featureState: 24, isNormed: true, merge: 2 });
    expect(read({}).vision).toMatchObject({ imageSize: 448, patchSize: 14, normKind: "layer", hasLastNorm: false });
  });

  it("leaves out the last norm where a state is counted from 0", () => {
    expect(read({ vision_feature_layer: 24 })).toMatchObject({ featureState: 24, isNormed: false });
  });

  it.each([
    ["several states", { vision_feature_layer: [-2, -1] }, "vision_feature_layer"],
    ["a class token among patches", { vision_feature_select_strategy: "full" }, "vision_feature_select_strategy"],
    ["blocks that are not whole", { downsample_ratio: 0.3 }, "downsample_ratio"],
    ["blocks that do not divide a tile", { downsample_ratio: 0.2 }, "downsample_ratio"],
    ["pictures that are not square", { vision_config: { image_size: [448, 224] } }, "image_size"],
    ["dropout", { vision_config: { hidden_dropout_prob: 0.1 } }, "hidden_dropout_prob"],
    ["another norm", { vision_config: { norm_type: "batch_norm" } }, "norm_type"],
  ])("refuses %s by name", (_, raw, named) => {
    expect(() => read(raw)).toThrow(named);
  });
});
