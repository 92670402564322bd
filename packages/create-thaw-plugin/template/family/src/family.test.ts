import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { openModel } from "@thaw/models";
import { withTempFolder } from "@thaw/testing";
import { expect, it } from "vitest";
import { family } from "./family.js";

/** A checkpoint's config.json, of a model that is small enough for a test. */
const config = {
  model_type: "my_plugin",
  image_token_index: 30,
  text_config: {
    model_type: "llama",
    vocab_size: 32,
    hidden_size: 8,
    intermediate_size: 16,
    num_hidden_layers: 1,
    num_attention_heads: 2,
  },
  vision_config: {
    model_type: "clip_vision_model",
    image_size: 8,
    patch_size: 4,
    hidden_size: 8,
    intermediate_size: 16,
    num_hidden_layers: 2,
    num_attention_heads: 2,
  },
};

it("opens a checkpoint of its type, every parameter owned by a component", async () => {
  await withTempFolder(async (folder) => {
    await writeFile(join(folder, "config.json"), JSON.stringify(config));
    const model = await openModel(folder, { families: [family], initialize: "all", seed: 1 });
    expect(model.components.map(({ name }) => name)).toEqual([
      "vision_tower",
      "multi_modal_projector",
      "language_model",
    ]);
    expect(model.parameters.length).toBeGreaterThan(20);
  });
});
