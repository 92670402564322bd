import type { ComponentRequest, Finding, Model } from "@thaw/core";
import { seededRandom } from "@thaw/core";
import { tinyModel } from "@thaw/testing";
import { describe, expect, it } from "vitest";
import { matrixNames } from "../adapters/adapter.js";
import { planAdapters } from "./plan-adapters.js";

const request = (component: string, options: Record<string, unknown> = {}): ComponentRequest => ({
  kind: "lora",
  component,
  options,
  settings: [{ path: `freeze.components.${component}`, value: {}, origin: "explicit" }],
});
function plan(requests: readonly ComponentRequest[], model: Model = tinyModel()) {
  const findings: Finding[] = [];
  const made = planAdapters({ model, parameters: model.parameters, requests, settings: [] }, (finding) => {
    findings.push(finding);
  });
  return { ...made, modules: [...made.adapters.keys()], findings };
}
const attention = (layer: number, ...parts: readonly string[]): string[] =>
  parts.map((part) => `language_model.layers.${layer}.self_attn.${part}`);

describe("planAdapters", () => {
  it("gives all linear layers of a component an adapter by default: rank 8, alpha twice that", () => {
    const { adapters, modules, findings } = plan([request("language_model")]);
    expect(findings).toEqual([]);
    expect(modules).toEqual(
      [0, 1].flatMap((layer) => [
        ...attention(layer, "q_proj", "k_proj", "v_proj", "o_proj"),
        ...["gate_proj", "up_proj", "down_proj"].map((part) => `language_model.layers.${layer}.mlp.${part}`),
      ]),
    );
    expect(adapters.get("language_model.layers.1.mlp.up_proj")).toEqual({
      module: "language_model.layers.1.mlp.up_proj",
      component: "language_model",
      rank: 8,
      alpha: 16,
      rslora: false,
      scaling: 2,
      dropout: 0,
      inputs: 4,
      outputs: 6,
    });
  });

  it("says of a target that is a buffer that it has no adapter", () => {
    const buffers = [{ name: "language_model.layers.0.layer_scalar", shape: [], dtype: "F32" }];
    const { findings } = plan([request("language_model", { targetModules: ["layer_scalar"] })], {
      ...tinyModel(),
      buffers,
    });
    expect(findings).toMatchObject([{ rule: "selector-matches-nothing" }]);
    expect(findings[0]!.message).toContain("Buffers have no adapter: language_model.layers.0.layer_scalar.");
  });

  it("takes targets as PEFT does: whole names, or their last segments", () => {
    const targets = (targetModules: string | string[]): readonly string[] =>
      plan([request("language_model", { targetModules })]).modules;
    expect(targets(["q_proj", "v_proj"])).toEqual([
      ...attention(0, "q_proj", "v_proj"),
      ...attention(1, "q_proj", "v_proj"),
    ]);
    expect(targets("layers.1.self_attn.q_proj")).toEqual(attention(1, "q_proj"));
    expect(targets(["proj"])).toEqual([]);
    expect(plan([request("language_model", { targetModules: ["q_proj", "v_porj"] })]).findings[0]).toMatchObject({
      rule: "selector-matches-nothing",
      severity: "error",
      message: expect.stringContaining("`v_porj`") as string,
      fix: expect.stringContaining("v_proj") as string,
      settings: [{ path: "freeze.components.language_model" }],
    });
  });

  it("never adapts what is not a linear layer of the forward pass, or what the loss does not reach", () => {
    for (const name of ["lm_head", "embed_tokens", "norm"])
      expect(plan([request("language_model", { targetModules: [name] })]).findings[0]!.message).toContain(name);
    const model = tinyModel();
    const dead = plan([request("vision_tower")], { ...model, deadParameters: ["vision_tower.layers.1.mlp.weight"] });
    expect(dead.modules).toEqual(["vision_tower.patch_embedding", "vision_tower.layers.0.mlp"]);
  });

  it("finds matrices by their names in a model whose forward pass is unknown", () => {
    const model = tinyModel();
    const unknown = {
      ...model,
      segments: [],
      parameters: model.parameters.map(({ name, shape, dtype }) => ({ name, shape, dtype })),
    };
    expect(plan([request("language_model")], unknown).modules).toEqual(plan([request("language_model")]).modules);
  });

  it("scales by the root of the rank where asked, and takes each component's own options", () => {
    const { adapters } = plan([
      request("language_model", { rank: 4, alpha: 8, rslora: true, targetModules: ["q_proj"] }),
      request("multi_modal_projector", { rank: 2, dropout: 0.25 }),
    ]);
    expect(adapters.get(attention(0, "q_proj")[0]!)).toMatchObject({ rank: 4, alpha: 8, scaling: 4 });
    expect(adapters.get("multi_modal_projector.linear_1")).toMatchObject({
      rank: 2,
      alpha: 4,
      scaling: 2,
      dropout: 0.25,
    });
  });

  it("adds two parameters per layer that start as PEFT's do: A within the root of its inputs, B zero", async () => {
    const made = plan([request("language_model", { rank: 3, targetModules: ["down_proj"] })]);
    const names = [...made.adapters.keys()].flatMap((module) => Object.values(matrixNames(module)));
    const added = made.parameters.filter(({ name }) => names.includes(name));
    expect(added.map(({ name, shape, component }) => [name, shape, component])).toEqual(
      [0, 1].flatMap((layer) => [
        [`language_model.layers.${layer}.mlp.down_proj.lora_A.weight`, [3, 6], "language_model"],
        [`language_model.layers.${layer}.mlp.down_proj.lora_B.weight`, [4, 3], "language_model"],
      ]),
    );
    const first = async (index: number): Promise<Float32Array> =>
      added[index]!.initialize!(added[index]!, seededRandom(1, added[index]!.name));
    const [a, b] = [await first(0), await first(1)];
    expect(a).toHaveLength(18);
    expect(Math.max(...a.map(Math.abs))).toBeLessThanOrEqual(1 / Math.sqrt(6));
    expect(new Set(a).size).toBe(18);
    expect([...b]).toEqual(Array.from({ length: 12 }, () => 0));
  });

  it("reports options that it does not know, and a component without linear layers", () => {
    expect(plan([request("language_model", { rank: 0, ranks: 3 })]).findings[0]!.message).toMatch(/rank: .*ranks/);
    const model = tinyModel();
    const bare = {
      ...model,
      parameters: model.parameters.filter(({ name, isLinear }) => !name.startsWith("multi_modal") || isLinear !== true),
    };
    expect(plan([request("multi_modal_projector")], bare).findings[0]).toMatchObject({
      rule: "selector-matches-nothing",
      severity: "error",
    });
  });

  it("answers no other kind, and says nothing of a model that is not there", () => {
    expect(plan([{ ...request("language_model"), kind: "prompt" }])).toMatchObject({ modules: [], findings: [] });
    expect(
      plan([request("language_model", { targetModules: ["nothing"] })], { ...tinyModel(), isPlaceholder: true }),
    ).toMatchObject({ modules: [], findings: [] });
  });
});
