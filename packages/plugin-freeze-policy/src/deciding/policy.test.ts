import { describe, expect, it } from "vitest";
import { STUB_COMPONENTS, stubParameters } from "../../../../test/support/stub-model.js";
import { settingsOfYaml } from "../../../../test/support/yaml-settings.js";
import { compilePolicy, type PolicyInput } from "./policy.js";

const compile = (yaml: string, more: Partial<PolicyInput> = {}) =>
  compilePolicy({ settings: settingsOfYaml(yaml), components: STUB_COMPONENTS, parameters: stubParameters(), ...more });
const trained = (policy: ReturnType<typeof compile>, step = 0) =>
  policy.plan.phases
    .findLast(({ fromStep }) => fromStep <= step)!
    .entries.filter(({ trainable }) => trainable)
    .map(({ name }) => name);
const states = (policy: ReturnType<typeof compile>) =>
  Object.fromEntries(policy.decisions.map(({ component, state }) => [component, state]));

describe("compilePolicy", () => {
  it("freezes tower and projector and trains the language model without settings", () => {
    const policy = compile("");
    expect(states(policy)).toEqual({
      vision_tower: "frozen",
      multi_modal_projector: "frozen",
      language_model: "train",
    });
    expect(policy.findings).toEqual([]);
    expect(policy.decisions[0]!.settings).toEqual([
      { path: "freeze.freeze_vision_tower", value: true, origin: "default" },
    ]);
  });

  describe("of a model that hears", () => {
    const components = ["audio_tower", "audio_projector", "language_model"].map((name) => ({ name, prefixes: [name] }));
    const parameters = components.map(({ name }) => ({ name: `${name}.weight`, shape: [2], dtype: "F32" }));
    const hearing = (yaml: string) => compile(yaml, { components, parameters });

    it("freezes tower and projector by default, and trains what flags and the shortcut say", () => {
      const [frozen, train] = ["frozen", "train"];
      for (const [yaml, tower, projector, language] of [
        ["{}", frozen, frozen, train],
        ["{ train_mm_proj_only: true }", frozen, train, frozen],
        ["{ freeze_audio_tower: false, freezeLlm: true }", train, frozen, frozen],
        ["{ freezeAudioProjector: false }", frozen, train, train],
        ["{ components: { audio_tower: train } }", train, frozen, train],
      ] as const) {
        const policy = hearing(`freeze: ${yaml}`);
        expect([policy.findings, states(policy)], yaml).toEqual([
          [],
          { audio_tower: tower, audio_projector: projector, language_model: language },
        ]);
      }
    });

    it("says in its own words what contradicts the shortcut, and that nothing trains", () => {
      expect(hearing("freeze: { train_mm_proj_only: true, freeze_audio_projector: true }").findings).toMatchObject([
        { rule: "shortcut-contradicts-flag", message: expect.stringContaining("trains the audio projector alone") },
      ]);
      expect(hearing("freeze: { freeze_llm: true }").findings).toMatchObject([
        { rule: "nothing-trains", fix: "Add `train_mm_proj_only: true` to train the audio projector." },
      ]);
    });

    it("refuses flags of components that a model does not have, either way", () => {
      expect(hearing("freeze: { freeze_vision_tower: false }").findings).toMatchObject([{ severity: "error" }]);
      expect(compile("freeze: { freeze_audio_tower: false }").findings).toMatchObject([{ severity: "error" }]);
    });
  });

  it("says of a pattern that matches buffers alone what they are, and selects none beside parameters", () => {
    const buffers = ["language_model.model.layers.0.layer_scalar", "language_model.model.layers.1.layer_scalar"];
    const one = compile("freeze: { components: { language_model: { match: [layers.0.layer_scalar] } } }", { buffers });
    expect(one.findings).toMatchObject([
      {
        rule: "selector-matches-nothing",
        message:
          "The pattern `layers.0.layer_scalar` of `freeze.components.language_model.match` matches no parameter " +
          "of the " +
          "language model. It matches language_model.model.layers.0.layer_scalar, stored with the model as a buffer: " +
          "nothing trains or freezes that.",
      },
    ]);
    const some = compile("freeze: { components: { language_model: { match: [layers.0] } } }", { buffers });
    expect([some.findings, trained(some).length]).toEqual([[], 2]);
  });

  it("takes both spellings of every key, and freezeLlm for freezeLanguageModel", () => {
    for (const text of [
      "{ freeze_llm: true, freeze_multi_modal_projector: false }",
      "{ freezeLlm: true, freezeMultiModalProjector: false }",
      "{ freezeLanguageModel: true, freeze_multi_modal_projector: false }",
    ]) {
      expect(states(compile(`freeze: ${text}`))).toEqual({
        vision_tower: "frozen",
        multi_modal_projector: "train",
        language_model: "frozen",
      });
    }
  });

  it(
    "reads an empty lora as an adapter with defaults, beside what another spelling says of it, and an empty entry " +
      "as nothing",
    () => {
      const read = (...values: (readonly [string, unknown])[]) =>
        compilePolicy({
          settings: values.map(([path, value]) => ({ path, value, origin: "explicit" as const })),
          components: STUB_COMPONENTS,
        }).decisions.find(({ component }) => component === "language_model")!;
      expect(read(["freeze.components.language_model.lora", {}])).toMatchObject({
        state: "adapter",
        intent: { kind: "adapter", lora: {} },
      });
      expect(read(["freeze", { components: { languageModel: { lora: {} } } }])).toMatchObject({ state: "adapter" });
      expect(
        read(["freeze.components.language_model.lora", {}], ["freeze.components.language_model.lora.rank", 2]),
      ).toMatchObject({ intent: { lora: { rank: 2 } } });
      expect(read(["freeze.freeze_llm", true], ["freeze.components.language_model", {}])).toMatchObject({
        state: "frozen",
      });
    },
  );

  it("gives every parameter its owner, group and reason with file and line", () => {
    const policy = compile("freeze:\n  train_mm_proj_only: true\n");
    const entries = policy.plan.phases[0]!.entries;
    expect(entries).toHaveLength(stubParameters().length);
    const entry = entries.find(({ name }) => name === "multi_modal_projector.linear_1.weight")!;
    expect(entry).toMatchObject({
      component: "multi_modal_projector",
      trainable: true,
      group: "multi_modal_projector",
    });
    expect(entry.reason.text).toBe("trained by freeze.train_mm_proj_only: true (thaw.yaml:2)");
    expect(entry.reason.settings[0]).toEqual({
      path: "freeze.train_mm_proj_only",
      value: true,
      origin: "explicit",
      file: "thaw.yaml",
      line: 2,
    });
  });

  it("lets an explicit setting replace a preset's, of whatever key, and says so", () => {
    const preset = settingsOfYaml("freeze:\n  freeze_language_model: false\n  freeze_multi_modal_projector: false", {
      origin: "preset",
      file: "stage2.yaml",
    });
    const policy = compilePolicy({
      settings: [...preset, ...settingsOfYaml("freeze: { train_mm_proj_only: true }")],
      components: STUB_COMPONENTS,
      parameters: stubParameters(),
    });
    expect(states(policy)).toEqual({
      vision_tower: "frozen",
      multi_modal_projector: "train",
      language_model: "frozen",
    });
    expect(policy.findings).toEqual([]);
    const language = policy.decisions[2]!;
    expect(language.reason).toBe(
      "frozen by freeze.train_mm_proj_only: true (thaw.yaml:1), which overrides freeze.freeze_language_model: " +
        "false (preset, stage2.yaml:2)",
    );
    expect(language.overridden.map(({ path, origin }) => `${path} ${origin}`)).toEqual([
      "freeze.freeze_language_model preset",
      "freeze.freeze_language_model default",
    ]);
  });

  it("replaces a preset's entry as a whole and its shortcut by an explicit false", () => {
    const preset = settingsOfYaml(
      "freeze:\n  train_mm_proj_only: true\n  components: { vision_tower: { last_blocks: 2, match: [layers.1] } }",
      { origin: "preset" },
    );
    const own = settingsOfYaml(
      "freeze: { train_mm_proj_only: false, components: { vision_tower: { first_blocks: 1 } } }",
    );
    const policy = compilePolicy({
      settings: [...preset, ...own],
      components: STUB_COMPONENTS,
      parameters: stubParameters(),
    });
    expect(states(policy)).toEqual({
      vision_tower: "partial",
      multi_modal_projector: "frozen",
      language_model: "train",
    });
    expect(trained(policy).filter((name) => name.startsWith("vision_tower"))).toEqual([
      "vision_tower.vision_model.encoder.layers.0.self_attn.q_proj.weight",
      "vision_tower.vision_model.encoder.layers.0.mlp.fc1.weight",
    ]);
  });

  it("does not depend on the order of the settings", () => {
    const settings = settingsOfYaml(
      "freeze: { freeze_llm: true, freeze_vision_tower: false, components: { multi_modal_projector: train } }",
    );
    const left = compilePolicy({ settings, components: STUB_COMPONENTS, parameters: stubParameters() });
    const right = compilePolicy({
      settings: settings.toReversed(),
      components: STUB_COMPONENTS,
      parameters: stubParameters(),
    });
    expect(right.plan).toEqual(left.plan);
  });

  it("selects the last and first blocks by number, not by text", () => {
    const policy = compile("freeze: { components: { vision_tower: { last_blocks: 2, first_blocks: 1 } } }");
    const layers = new Set(trained(policy).flatMap((name) => /vision_tower.*layers\.(\d+)/.exec(name)?.[1] ?? []));
    expect([...layers]).toEqual(["0", "10", "11"]);
    expect(trained(policy)).not.toContain("vision_tower.vision_model.post_layernorm.weight");
  });

  it("says of an unselected parameter why it is frozen", () => {
    const policy = compile("freeze: { components: { vision_tower: { match: layers.1 } } }");
    const layer = (number: number) =>
      policy.plan.phases[0]!.entries.find(({ name }) => name.includes(`vision_model.encoder.layers.${number}.mlp`))!;
    expect(layer(1).trainable).toBe(true);
    expect(layer(10).trainable).toBe(false);
    expect(layer(10).reason.text).toContain("frozen, not selected: parameters matching layers.1 trained by");
  });

  it("trains an adapter's parameters over a frozen base", () => {
    const added = [
      {
        name: "language_model.model.layers.0.self_attn.q_proj.lora_A.weight",
        shape: [4, 2],
        dtype: "F32",
        component: "language_model",
      },
    ];
    const policy = compile("freeze: { components: { language_model: { lora: { rank: 4 } } } }", {
      parameters: stubParameters({ added }),
    });
    expect(trained(policy)).toEqual([added[0]!.name]);
    expect(policy.findings).toEqual([]);
  });

  it("unfreezes at a step as a phase of the plan", () => {
    const policy = compile(
      "freeze: { freeze_multi_modal_projector: false, components: { language_model: { unfreeze_at_step: 100, " +
        "warmup_steps: 10 } } }",
    );
    expect(policy.plan.phases.map(({ fromStep }) => fromStep)).toEqual([0, 100]);
    expect(trained(policy, 99).some((name) => name.startsWith("language_model"))).toBe(false);
    expect(trained(policy, 100).some((name) => name.startsWith("language_model"))).toBe(true);
    expect(policy.decisions[2]!.timeline!.unfreezeStep).toBe(100);
  });

  it("places epochs with the steps of an epoch, and says so where they are unknown", () => {
    const text =
      "freeze: { freeze_multi_modal_projector: false, components: { vision_tower: { unfreeze_at_epoch: 0.5, " +
      "freeze_at_epoch: 1.5 } } }";
    expect(compile(text, { stepsPerEpoch: 33 }).plan.phases.map(({ fromStep }) => fromStep)).toEqual([0, 17, 50]);
    const unknown = compile(text);
    expect(unknown.plan.phases).toHaveLength(1);
    expect(unknown.findings.map(({ rule }) => rule)).toEqual(["schedule-position-unknown"]);
  });

  it("freezes a component that is declared and has no flag, by default and by the shortcut", () => {
    const components = [...STUB_COMPONENTS, { name: "audio_tower", prefixes: ["audio_tower"] }];
    const parameters = [...stubParameters(), { name: "audio_tower.conv1.weight", shape: [2], dtype: "F32" }];
    expect(states(compile("", { components, parameters }))["audio_tower"]).toBe("frozen");
    expect(states(compile("freeze: { train_mm_proj_only: true }", { components, parameters }))["audio_tower"]).toBe(
      "frozen",
    );
    expect(
      states(compile("freeze: { components: { audioTower: train } }", { components, parameters }))["audio_tower"],
    ).toBe("train");
  });

  it("puts the stopped segments into every phase, and reports one that does not exist", () => {
    const segments = ["vision_tower", "multi_modal_projector", "language_model"];
    const policy = compile(
      "freeze: { stop_gradient_after: [vision_tower, language_modle], components: { language_model: { " +
        "freeze_at_step: 9 }, vision_tower: train } }",
      { segments },
    );
    expect(policy.plan.phases.map(({ stopGradientAfter }) => stopGradientAfter)).toEqual([
      ["vision_tower"],
      ["vision_tower"],
    ]);
    expect(policy.findings.map(({ rule, fix }) => `${rule} ${fix}`)).toEqual([
      "selector-matches-nothing Nearest: language_model. Correct or remove the name (thaw.yaml:1).",
    ]);
  });

  it("judges the settings alone where no checkpoint is there", () => {
    const bare = (yaml: string) =>
      compilePolicy({ settings: settingsOfYaml(yaml), components: [] }).findings.map(
        ({ rule, severity }) => `${rule} ${severity}`,
      );
    expect(bare("freeze: { freeze_llm: true }")).toEqual(["nothing-trains error"]);
    expect(bare("freeze: { train_mm_proj_only: true, freeze_llm: false }")).toEqual([
      "shortcut-contradicts-flag error",
    ]);
    expect(bare("freeze: { components: { vison_tower: train } }")).toEqual(["selector-matches-nothing warning"]);
    expect(bare("freeze: { components: { vision_tower: { match: [layers.99] } } }")).toEqual([]);
  });
});
