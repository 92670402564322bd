import { ownerByPrefix } from "@thaw/contracts";
import { rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs-core";
import { openSafetensors } from "@thaw/safetensors";
import { afterEach, describe, expect, it } from "vitest";
import { changedCheckpoint, LLAVA_FOLDER, type Changes } from "../../test-support/checkpoint.js";
import { goldenBatch, goldenFacts, largestDifference, useBackend } from "../../test-support/golden.js";
import { loadWeights, testScope } from "../../test-support/scope.js";
import { openModel, type OpenModelOptions } from "./open-model.js";
import { llavaFamily } from "../families/llava/family.js";
import { FAMILIES } from "./families.js";
import { openProcessor } from "./open-processor.js";

const facts = goldenFacts(LLAVA_FOLDER);
const made: string[] = [];
afterEach(async () => {
  for (const folder of made.splice(0)) await rm(folder, { recursive: true });
});

async function changed(changes: Changes): Promise<string> {
  const folder = await changedCheckpoint(changes);
  made.push(folder);
  return folder;
}

describe("a LLaVA checkpoint", () => {
  it("shows names, shapes, owners and sizes without reading a weight", async () => {
    const model = await openModel(LLAVA_FOLDER);
    expect(model.parameters.map(({ name }) => name).sort()).toEqual(Object.keys(facts.owner).sort());
    for (const { name } of model.parameters)
      expect(ownerByPrefix(name, model.components), name).toBe(facts.owner[name]);
    expect(model.parameters[1]).toEqual({
      name: "vision_tower.vision_model.embeddings.patch_embedding.weight",
      shape: [40, 3, 7, 7],
      dtype: "F32",
    });
    expect(model.text).toMatchObject({
      vocabularySize: 336,
      hiddenSize: 32,
      maxPositions: 512,
      eosTokenIds: [2],
      padTokenId: 331,
      embeddings: {
        input: "language_model.model.embed_tokens.weight",
        output: "language_model.lm_head.weight",
      },
    });
    expect(model.modelType).toBe("llava");
  });

  it("has segments in data-flow order that use every parameter but the dead ones", async () => {
    const { segments, parameters, deadParameters } = await openModel(LLAVA_FOLDER);
    expect(segments.map(({ name }) => name)).toEqual([
      "vision_tower",
      "vision_tower.embeddings",
      "vision_tower.layers.0",
      "vision_tower.layers.1",
      "multi_modal_projector",
      "language_model",
      "language_model.embed",
      "language_model.layers.0",
      "language_model.layers.1",
      "language_model.norm",
      "language_model.head",
    ]);
    expect(new Set([...segments.flatMap((segment) => segment.parameters), ...deadParameters])).toEqual(
      new Set(parameters.map(({ name }) => name)),
    );
    const names = segments.map(({ name }) => name);
    for (const [index, segment] of segments.entries()) {
      for (const before of segment.after)
        expect(names.indexOf(before), `${before} before ${segment.name}`).toBeLessThan(index);
      const inside = segments.filter(({ name }) => name.startsWith(`${segment.name}.`));
      if (inside.length > 0)
        expect(new Set(segment.parameters)).toEqual(new Set(inside.flatMap(({ parameters: used }) => used)));
    }
    expect(segments[0]).toMatchObject({
      reads: ["pixelValues"],
      after: [],
      signature: expect.stringContaining('"featureStates":[2]') as string,
    });
  });

  it("ignores what is stored but is not a parameter", async () => {
    const folder = await changed({
      add: {
        "vision_tower.vision_model.embeddings.position_ids": [1, 17],
        "language_model.model.layers.0.self_attn.rotary_emb.inv_freq": [4],
      },
    });
    expect((await openModel(folder)).parameters).toEqual((await openModel(LLAVA_FOLDER)).parameters);
  });
});

describe("other spellings of the names", () => {
  const layouts: readonly (readonly [string, (name: string) => string])[] = [
    ["those of transformers 5's modules", (name) => facts.module_names[name] ?? name],
    ["files without the level vision_model", (name) => name.replace("vision_tower.vision_model.", "vision_tower.")],
    [
      "module names with the level vision_model",
      (name) => (name.startsWith("vision_tower.") ? `model.${name}` : (facts.module_names[name] ?? name)),
    ],
  ];
  it.each(layouts)("gives the same logits from %s", async (_, rename) => {
    await useBackend("cpu");
    const before = tf.memory().numTensors;
    const model = await openModel(await changed({ rename }));
    for (const { name } of (await openModel(LLAVA_FOLDER)).parameters)
      expect(model.parameters.map((parameter) => parameter.name)).toContain(rename(name));
    for (const [name, owner] of Object.entries(facts.owner))
      expect(ownerByPrefix(rename(name), model.components)).toBe(owner);
    const weights = await loadWeights(model);
    const golden = await openSafetensors(`${LLAVA_FOLDER}/golden.safetensors`);
    const batch = await goldenBatch(golden);
    const scope = testScope(weights);
    const logits = model.forward(batch, scope).logits(null).tensor.dataSync();
    expect(
      largestDifference(
        logits,
        await golden.readFloat32("out.logits"),
        (index) => batch.attentionMask[Math.floor(index / 336)] === 1,
      ),
    ).toBeLessThan(1e-4);
    await golden.close();
    scope.tape.dispose();
    tf.dispose([batch.inputs["pixelValues"]!.tensor, ...weights.values()]);
    expect(tf.memory().numTensors).toBe(before);
  });
});

describe("tied embeddings", () => {
  const head = "language_model.lm_head.weight";
  const embedding = "language_model.model.embed_tokens.weight";
  it("are one parameter with two names, whether the file stores one or both", async () => {
    for (const rename of [(name: string) => name, (name: string) => (name === head ? null : name)]) {
      const model = await openModel(
        await changed({
          rename,
          config: (config) => {
            config["tie_word_embeddings"] = config.text_config["tie_word_embeddings"] = true;
          },
        }),
      );
      expect(model.parameters.find(({ name }) => name === embedding)?.tiedNames).toEqual([head]);
      expect(model.parameters.some(({ name }) => name === head)).toBe(false);
      expect(model.segments.at(-1)?.parameters).toEqual([embedding]);
    }
  });

  it("are decided by the file where the config says both", async () => {
    const config: Changes["config"] = (edited) => {
      edited.text_config["tie_word_embeddings"] = true;
    };
    expect((await openModel(await changed({ config }))).parameters.some(({ name }) => name === head)).toBe(true);
    expect(
      (await openModel(await changed({ config, rename: (name) => (name === head ? null : name) }))).parameters.some(
        ({ name }) => name === head,
      ),
    ).toBe(false);
  });
});

describe("a checkpoint is refused", () => {
  const norm = "language_model.model.norm.weight";
  it.each<readonly [string, Changes, string, string]>([
    [
      "with a missing tensor",
      { rename: (name) => (name === norm ? null : name) },
      "THAW_CHECKPOINT_TENSOR_MISSING",
      norm,
    ],
    [
      "with a misspelt tensor, naming the nearest",
      { rename: (name) => (name === norm ? "language_model.model.norn.weight" : name) },
      "THAW_CHECKPOINT_TENSOR_MISSING",
      "nearest in the file: language_model.model.norn.weight",
    ],
    [
      "with a misshaped tensor",
      { add: { [norm]: [31] } },
      "THAW_CHECKPOINT_TENSOR_MISSHAPED",
      "shape [31], but config.json asks for [32]",
    ],
    [
      "with a tensor too many",
      { add: { "language_model.model.layers.2.mlp.up_proj.weight": [56, 32] } },
      "THAW_CHECKPOINT_TENSOR_UNEXPECTED",
      "layers.2",
    ],
    [
      "with a layer more in the config",
      {
        config: (config) => {
          config.text_config["num_hidden_layers"] = 3;
        },
      },
      "THAW_CHECKPOINT_TENSOR_MISSING",
      "9 tensors are missing",
    ],
    [
      "of an unknown type",
      {
        config: (config) => {
          config["model_type"] = "lava";
        },
      },
      "THAW_CHECKPOINT_UNKNOWN_TYPE",
      "Nearest: llava.",
    ],
    [
      "without a type",
      {
        config: (config) => {
          delete config["model_type"];
        },
      },
      "THAW_CHECKPOINT_UNKNOWN_TYPE",
      "llava",
    ],
    [
      "with another tower",
      {
        config: (config) => {
          config.vision_config["model_type"] = "timm_wrapper";
        },
      },
      "THAW_CHECKPOINT_CONFIG",
      "vision_config.model_type",
    ],
    [
      "with another decoder",
      {
        config: (config) => {
          config.text_config["model_type"] = "mamba";
        },
      },
      "THAW_CHECKPOINT_CONFIG",
      "text_config.model_type",
    ],
    [
      "with rotary positions of a type that is not supported",
      {
        config: (config) => {
          config.text_config["rope_parameters"] = { rope_type: "longrope" };
        },
      },
      "THAW_CHECKPOINT_CONFIG",
      "rope_parameters.rope_type",
    ],
    [
      "with version 4's spelling of scaling",
      {
        config: (config) => {
          config.text_config["rope_scaling"] = { type: "longrope", factor: 2 };
        },
      },
      "THAW_CHECKPOINT_CONFIG",
      "rope_scaling.type",
    ],
    [
      "with quantised weights",
      {
        config: (config) => {
          config["quantization_config"] = { quant_method: "gptq", bits: 4 };
        },
      },
      "THAW_CHECKPOINT_CONFIG",
      "quantization_config",
    ],
    [
      "with quantised weights, said in the text's config",
      {
        config: (config) => {
          config.text_config["quantization_config"] = { quant_method: "fp8" };
        },
      },
      "THAW_CHECKPOINT_CONFIG",
      "text_config.quantization_config",
    ],
    [
      "with an unknown activation",
      {
        config: (config) => {
          config.vision_config["hidden_act"] = "quickgelu";
        },
      },
      "THAW_CHECKPOINT_CONFIG",
      "Nearest: quick_gelu",
    ],
    [
      "with a feature layer that is none",
      {
        config: (config) => {
          config["vision_feature_layer"] = -5;
        },
      },
      "THAW_CHECKPOINT_CONFIG",
      "from -4 to 3",
    ],
    [
      "with an unknown select strategy",
      {
        config: (config) => {
          config["vision_feature_select_strategy"] = "cls";
        },
      },
      "THAW_CHECKPOINT_CONFIG",
      "default, full",
    ],
    [
      "with a size that is not a number",
      {
        config: (config) => {
          config.text_config["hidden_size"] = "32";
        },
      },
      "THAW_CHECKPOINT_CONFIG",
      "text_config.hidden_size",
    ],
    [
      "with heads that do not divide",
      {
        config: (config) => {
          config.text_config["num_key_value_heads"] = 3;
        },
      },
      "THAW_CHECKPOINT_CONFIG",
      "num_key_value_heads",
    ],
    [
      "with a config that is not an object",
      {
        config: (config) => {
          config["text_config"] = [] as never;
        },
      },
      "THAW_CHECKPOINT_CONFIG",
      "text_config",
    ],
  ])("%s", async (_, changes, code, text) => {
    await expect(openModel(await changed(changes))).rejects.toMatchObject({
      code,
      message: expect.stringContaining(text) as string,
    });
  });

  it("where the folder, the config or the weights are missing or broken", async () => {
    await expect(openModel("/nowhere/at/all")).rejects.toMatchObject({ code: "THAW_CHECKPOINT_UNREADABLE" });
    await expect(openModel(join(LLAVA_FOLDER, "config.json"))).rejects.toMatchObject({
      code: "THAW_CHECKPOINT_UNREADABLE",
    });
    const folder = await changed({});
    await rm(join(folder, "model.safetensors"));
    await expect(openModel(folder)).rejects.toMatchObject({ code: "THAW_SAFETENSORS_NOT_FOUND" });
    await writeFile(join(folder, "config.json"), "{");
    await expect(openModel(folder)).rejects.toMatchObject({ code: "THAW_CHECKPOINT_CONFIG" });
    await writeFile(join(folder, "config.json"), "[]");
    await expect(openModel(folder)).rejects.toMatchObject({ code: "THAW_CHECKPOINT_CONFIG" });
    await rm(join(folder, "config.json"));
    await expect(openModel(folder)).rejects.toMatchObject({ code: "THAW_CHECKPOINT_UNREADABLE" });
  });

  it("when a weight is asked for that it does not have", async () => {
    const model = await openModel(LLAVA_FOLDER);
    await expect(model.load(["language_model.model.nrom.weight"])[Symbol.asyncIterator]().next()).rejects.toMatchObject(
      { code: "THAW_CHECKPOINT_UNKNOWN_PARAMETER", message: expect.stringContaining(norm) as string },
    );
  });
});

describe("weights that change after the model was opened", () => {
  it("are noticed", async () => {
    const folder = await changed({});
    const model = await openModel(folder);
    const read = (name: string): Promise<unknown> => model.load([name])[Symbol.asyncIterator]().next();
    const other = await changed({
      rename: (name) => (name.endsWith("norm.weight") ? null : name),
      add: { "multi_modal_projector.linear_1.bias": [3] },
    });
    await rename(join(other, "model.safetensors"), join(folder, "model.safetensors"));
    await expect(read("multi_modal_projector.linear_1.bias")).rejects.toMatchObject({
      code: "THAW_CHECKPOINT_TENSOR_MISSHAPED",
    });
    await expect(read("language_model.model.norm.weight")).rejects.toMatchObject({
      code: "THAW_CHECKPOINT_TENSOR_MISSING",
    });
  });
});

describe("a family of one's own", () => {
  it("opens where it is among the families, and nowhere else", async () => {
    const families = [...FAMILIES, { ...llavaFamily, modelType: "my_llava" }];
    const folder = await changed({
      config: (config) => {
        config["model_type"] = "my_llava";
      },
    });
    expect((await openModel(folder, { families })).modelType).toBe("my_llava");
    await expect(openModel(folder)).rejects.toMatchObject({ code: "THAW_CHECKPOINT_UNKNOWN_TYPE" });
    expect((await openProcessor(folder, families)).media.image).toBeDefined();
    await expect(openProcessor(folder)).rejects.toMatchObject({ code: "THAW_MODEL_NO_PROCESSOR" });
  });
});

describe("a config", () => {
  it("may leave out what Hugging Face's classes default to", async () => {
    const folder = await changed({
      config: (config) => {
        for (const key of Object.keys(config)) if (!["model_type", "text_config"].includes(key)) delete config[key];
        config.text_config = {
          model_type: "llama",
          max_position_embeddings: 4096,
          rms_norm_eps: 1e-5,
          vocab_size: 32064,
          rope_theta: 10000,
          rope_scaling: null,
        };
      },
    });
    const model = await openModel(folder, { initialize: "all" });
    const shapes = new Map(model.parameters.map(({ name, shape }) => [name, shape]));
    expect(shapes.get("vision_tower.vision_model.embeddings.position_embedding.weight")).toEqual([577, 1024]);
    expect(shapes.get("vision_tower.vision_model.encoder.layers.23.mlp.fc1.weight")).toEqual([4096, 1024]);
    expect(shapes.get("multi_modal_projector.linear_1.bias")).toEqual([4096]);
    expect(shapes.get("language_model.model.layers.31.mlp.down_proj.weight")).toEqual([4096, 11008]);
    expect(shapes.get("language_model.lm_head.weight")).toEqual([32064, 4096]);
  });

  it("may name the end tokens in generation_config.json, several of them", async () => {
    const folder = await changed({});
    await writeFile(join(folder, "generation_config.json"), '{"eos_token_id":[5,6]}');
    expect((await openModel(folder)).text).toMatchObject({ eosTokenIds: [5, 6], padTokenId: 331 });
    await writeFile(join(folder, "generation_config.json"), '{"pad_token_id":-1}');
    expect((await openModel(folder)).text).toMatchObject({ eosTokenIds: [2], padTokenId: 331 });
    await rm(join(folder, "generation_config.json"));
    expect((await openModel(folder)).text).toMatchObject({ eosTokenIds: [2] });
    await writeFile(join(folder, "generation_config.json"), '{"eos_token_id":"</s>"}');
    await expect(openModel(folder)).rejects.toMatchObject({ code: "THAW_CHECKPOINT_CONFIG" });
  });
});

describe("a model type without a family", () => {
  const other: Changes["config"] = (config) => {
    config["model_type"] = "other";
  };
  const components = {
    visionTower: ["vision_tower"],
    multi_modal_projector: ["multi_modal_projector"],
    language_model: ["language_model"],
  };
  it("opens for planning where its components are declared, and says that it cannot run", async () => {
    const folder = await changed({ config: other, add: { "language_model.model.layers.0.rotary_emb.inv_freq": [4] } });
    const model = await openModel(folder, { components });
    expect(model.components[0]).toEqual({ name: "vision_tower", prefixes: ["vision_tower"] });
    expect(model.parameters.map(({ name }) => name).sort()).toEqual(Object.keys(facts.owner).sort());
    expect(model.text).toMatchObject({
      vocabularySize: 336,
      eosTokenIds: [2],
      embeddings: {
        input: "language_model.model.embed_tokens.weight",
        output: "language_model.lm_head.weight",
      },
    });
    expect(() => model.forward({} as never, {} as never)).toThrow(
      expect.objectContaining({ code: "THAW_MODEL_NO_FORWARD" }) as Error,
    );
    await expect(async () => model.generate({} as never, {} as never, { maxNewTokens: 1 })).rejects.toMatchObject({
      code: "THAW_MODEL_NO_FORWARD",
    });
    const tied = await changed({ config: other, rename: (name) => (name.includes("lm_head") ? null : name) });
    expect((await openModel(tied, { components })).text.embeddings).toEqual({
      input: "language_model.model.embed_tokens.weight",
      output: "language_model.model.embed_tokens.weight",
    });
    const twice = await changed({ config: other, add: { "language_model.model.more.weight": [336, 32] } });
    expect((await openModel(twice, { components })).text.embeddings).toBeUndefined();
    await expect(openModel(folder, { components, initialize: ["vision_tower"] })).rejects.toMatchObject({
      code: "THAW_CHECKPOINT_CANNOT_INITIALIZE",
    });
  });
});

describe("a user's declarations", () => {
  it("split or replace a family's components, and leave tensors out", async () => {
    const folder = await changed({ add: { "extra.head.weight": [3, 3] } });
    const options: OpenModelOptions = {
      ignored: ["extra"],
      components: { output: ["language_model.lm_head"], visionTower: ["vision_tower.vision_model"] },
    };
    const model = await openModel(folder, options);
    expect(ownerByPrefix("language_model.lm_head.weight", model.components)).toBe("output");
    expect(ownerByPrefix("language_model.model.norm.weight", model.components)).toBe("language_model");
    expect(model.components[0]).toEqual({ name: "vision_tower", prefixes: ["vision_tower.vision_model"] });
  });
});

describe("initial values", () => {
  const projector = "multi_modal_projector.linear_1.weight";
  async function read(
    options: OpenModelOptions,
    names: readonly string[],
    folder = LLAVA_FOLDER,
  ): Promise<Map<string, Float32Array>> {
    const values = new Map<string, Float32Array>();
    for await (const item of (await openModel(folder, options)).load(names)) values.set(item.name, item.values);
    return values;
  }

  it("replace those of the named components alone, and depend on the seed and the name", async () => {
    const names = [projector, "multi_modal_projector.linear_1.bias", "language_model.model.norm.weight"];
    const stored = await read({}, names);
    const fresh = await read({ initialize: ["multiModalProjector"], seed: 1 }, names);
    expect(fresh.get("language_model.model.norm.weight")).toEqual(stored.get("language_model.model.norm.weight"));
    expect(fresh.get(projector)).not.toEqual(stored.get(projector));
    expect(fresh.get("multi_modal_projector.linear_1.bias")).toEqual(new Float32Array(32));
    expect(await read({ initialize: ["multi_modal_projector"], seed: 1 }, [...names].reverse())).toEqual(
      new Map([...fresh].reverse()),
    );
    expect((await read({ initialize: ["multi_modal_projector"], seed: 2 }, names)).get(projector)).not.toEqual(
      fresh.get(projector),
    );
  });

  it("need no stored tensor of that component, whatever its shape", async () => {
    const folder = await changed({
      rename: (name) => (name === projector ? null : name),
      add: { "multi_modal_projector.linear_2.weight": [3] },
    });
    await expect(openModel(folder)).rejects.toMatchObject({ code: "THAW_CHECKPOINT_TENSOR_MISSHAPED" });
    expect((await read({ initialize: ["multi_modal_projector"] }, [projector], folder)).get(projector)).toHaveLength(
      32 * 40,
    );
  });

  it("make a whole model from config.json alone, with the stated deviations", async () => {
    const folder = await changed({});
    await rm(join(folder, "model.safetensors"));
    const model = await openModel(folder, { initialize: "all" });
    const deviation = new Map<string, number>();
    for await (const { name, values } of model.load(model.parameters.map((parameter) => parameter.name))) {
      deviation.set(name, Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / values.length));
    }
    const near = (name: string, wanted: number): void => {
      expect(deviation.get(name)! / wanted, name).toBeGreaterThan(0.9);
      expect(deviation.get(name)! / wanted, name).toBeLessThan(1.1);
    };
    near("language_model.model.layers.0.mlp.up_proj.weight", 0.7 / Math.sqrt(32));
    near("language_model.model.layers.0.mlp.down_proj.weight", (0.4 * 0.7) / Math.sqrt(56));
    near("vision_tower.vision_model.embeddings.patch_embedding.weight", 0.7 / Math.sqrt(3 * 49));
    near("vision_tower.vision_model.encoder.layers.1.self_attn.out_proj.weight", (0.4 * 0.7) / Math.sqrt(40));
    near("language_model.model.embed_tokens.weight", 0.05);
    expect(deviation.get("language_model.model.norm.weight")).toBe(1);
    expect(deviation.get("vision_tower.vision_model.pre_layrnorm.weight")).toBe(1);
    expect(deviation.get("vision_tower.vision_model.pre_layrnorm.bias")).toBe(0);
  });

  it("are refused for a component that is not there", async () => {
    await expect(openModel(LLAVA_FOLDER, { initialize: ["projector"] })).rejects.toMatchObject({
      code: "THAW_CHECKPOINT_UNKNOWN_COMPONENT",
      message: expect.stringContaining("multi_modal_projector") as string,
    });
  });
});
