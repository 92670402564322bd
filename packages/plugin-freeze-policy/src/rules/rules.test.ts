import type { ParameterInfo } from "@thaw/core";
import { describe, expect, it } from "vitest";
import { STUB_COMPONENTS, stubParameters } from "../../../../test/support/stub-model.js";
import { settingsOfYaml } from "../../../../test/support/yaml-settings.js";
import { compilePolicy } from "../deciding/policy.js";
import { FREEZE_RULES } from "./index.js";

interface Case {
  readonly yaml: string;
  readonly preset?: string;
  readonly tied?: Readonly<Record<string, readonly string[]>>;
  readonly added?: readonly ParameterInfo[];
}

interface Invalid extends Case {
  /** Paths of the finding's settings with their lines, in order. */
  readonly at: readonly string[];
  readonly severity?: string;
  /** Part of message or fix. */
  readonly says?: string;
}

const TIED = { "language_model.model.embed_tokens.weight": ["language_model.lm_head.weight"] };
const ADDED: readonly ParameterInfo[] = [
  { name: "language_model.lora_A.weight", shape: [2, 2], dtype: "F32", component: "language_model" },
];

const cases: Readonly<Record<string, { readonly valid: readonly Case[]; readonly invalid: readonly Invalid[] }>> = {
  "shortcut-contradicts-flag": {
    valid: [
      { yaml: "freeze: { train_mm_proj_only: true }" },
      { yaml: "freeze: { train_mm_proj_only: false, freeze_llm: false }" },
      { yaml: "freeze: { train_mm_proj_only: true }", preset: "freeze: { freeze_llm: false }" },
      { yaml: "freeze: { freeze_llm: false }", preset: "freeze: { train_mm_proj_only: true }" },
      { yaml: "freeze: { train_mm_proj_only: true, components: { multi_modal_projector: { match: [linear_1] } } }" },
    ],
    invalid: [
      {
        yaml: "freeze:\n  train_mm_proj_only: true\n  freeze_llm: false",
        at: ["freeze.train_mm_proj_only:2", "freeze.freeze_llm:3"],
        says: "`freeze_multi_modal_projector: false` to train both",
      },
      {
        yaml: "freeze:\n  freezeVisionTower: false\n  trainMmProjOnly: true",
        at: ["freeze.trainMmProjOnly:3", "freeze.freezeVisionTower:2"],
        says: "`freezeMultiModalProjector: false`",
      },
      {
        yaml: "freeze:\n  train_mm_proj_only: true\n  freeze_multi_modal_projector: true",
        at: ["freeze.train_mm_proj_only:2", "freeze.freeze_multi_modal_projector:3"],
      },
      {
        yaml: "freeze:\n  train_mm_proj_only: true\n  components:\n    vision_tower:\n      last_blocks: 1",
        at: ["freeze.train_mm_proj_only:2", "freeze.components.vision_tower:5"],
      },
      {
        yaml: "freeze:\n  train_mm_proj_only: true\n  freeze_llm: true",
        at: ["freeze.train_mm_proj_only:2", "freeze.freeze_llm:3"],
        severity: "note",
      },
      {
        yaml: "",
        preset: "freeze:\n  train_mm_proj_only: true\n  freeze_llm: false",
        at: ["freeze.train_mm_proj_only:2", "freeze.freeze_llm:3"],
      },
    ],
  },
  "aliases-disagree": {
    valid: [
      { yaml: "freeze: { freeze_llm: true, freeze_language_model: true, freeze_multi_modal_projector: false }" },
      { yaml: "freeze: { freeze_llm: false }", preset: "freeze: { freezeLanguageModel: true }" },
    ],
    invalid: [
      {
        yaml: "freeze:\n  freeze_llm: true\n  freeze_language_model: false",
        at: ["freeze.freeze_llm:2", "freeze.freeze_language_model:3"],
      },
      {
        yaml: "freeze:\n  freeze_vision_tower: true\n  freezeVisionTower: false",
        at: ["freeze.freeze_vision_tower:2", "freeze.freezeVisionTower:3"],
      },
      {
        yaml: "freeze:\n  trainMmProjOnly: true\n  train_mm_proj_only: false",
        at: ["freeze.trainMmProjOnly:2", "freeze.train_mm_proj_only:3"],
      },
      {
        yaml: "freeze:\n  components:\n    vision_tower: train\n    visionTower: frozen",
        at: ["freeze.components.vision_tower:3", "freeze.components.visionTower:4"],
      },
      {
        yaml: "freeze:\n  components:\n    vision_tower: { last_blocks: 1, lastBlocks: 2 }",
        at: ["freeze.components.vision_tower.last_blocks:3", "freeze.components.vision_tower.lastBlocks:3"],
      },
    ],
  },
  "nothing-trains": {
    valid: [
      { yaml: "" },
      { yaml: "freeze: { freeze_llm: true, freeze_multi_modal_projector: false }" },
      { yaml: "freeze: { components: { language_model: { lora: {} } } }", added: ADDED },
    ],
    invalid: [
      { yaml: "freeze:\n  freeze_llm: true", at: ["freeze.freeze_llm:2"], says: "Add `train_mm_proj_only: true`" },
      {
        yaml: "freeze:\n  freezeLlm: true\n  freezeMultiModalProjector: true",
        at: ["freeze.freezeMultiModalProjector:3", "freeze.freezeLlm:2"],
        says: "`freezeMultiModalProjector: false`",
      },
      {
        yaml: "freeze:\n  components: { language_model: { unfreeze_at_step: 10 } }",
        at: ["freeze.components.language_model:2"],
        says: "from step 0 to step 9",
      },
      {
        yaml: "freeze:\n  components: { language_model: { freeze_at_step: 10 } }",
        at: ["freeze.components.language_model:2"],
        says: "from step 10 on",
      },
    ],
  },
  "selector-matches-nothing": {
    valid: [
      { yaml: "freeze: { components: { vision_tower: { match: [layers.1, embeddings.*] } } }" },
      { yaml: "freeze: { components: { language_model: { last_blocks: 3 } } }" },
    ],
    invalid: [
      {
        yaml: "freeze:\n  components:\n    vison_tower: train",
        at: ["freeze.components.vison_tower:3"],
        says: "Nearest: vision_tower",
      },
      {
        yaml: "freeze:\n  components:\n    visonTower: train",
        at: ["freeze.components.visonTower:3"],
        says: "Nearest: visionTower",
      },
      {
        yaml: "freeze:\n  components:\n    vision_tower: { match: [layer.1] }",
        at: ["freeze.components.vision_tower.match:3"],
        says: "layers.1",
      },
      {
        yaml: "freeze:\n  components:\n    vision_tower: { match: [layers.12] }",
        at: ["freeze.components.vision_tower.match:3"],
        says: "layers.1",
      },
      {
        yaml: "freeze:\n  components:\n    vision_tower: { match: [lm_head] }",
        at: ["freeze.components.vision_tower.match:3"],
        says: "It matches in language_model",
      },
      {
        yaml: "freeze:\n  components:\n    multi_modal_projector: { match: [linear_*] }",
        at: ["freeze.components.multi_modal_projector.match:3"],
        says: "one whole segment",
      },
      {
        yaml: "freeze:\n  components:\n    language_model: { last_blocks: 4 }",
        at: ["freeze.components.language_model.last_blocks:3"],
        says: "Use at most 3",
      },
      {
        yaml: "freeze:\n  components:\n    multi_modal_projector: { first_blocks: 1 }",
        at: ["freeze.components.multi_modal_projector.first_blocks:3"],
        says: "no numbered blocks",
      },
      {
        yaml: "",
        preset: "freeze:\n  components:\n    audio_tower: frozen",
        at: ["freeze.components.audio_tower:3"],
        severity: "warning",
      },
    ],
  },
  "frozen-and-trained": {
    valid: [
      { yaml: "freeze: { freeze_vision_tower: false, components: { vision_tower: { last_blocks: 1 } } }" },
      { yaml: "freeze: { freeze_vision_tower: true, components: { vision_tower: frozen } }" },
    ],
    invalid: [
      {
        yaml: "freeze:\n  freeze_vision_tower: true\n  components:\n    vision_tower: train",
        at: ["freeze.freeze_vision_tower:2", "freeze.components.vision_tower:4"],
      },
      {
        yaml: "freeze:\n  freeze_llm: false\n  components:\n    language_model: frozen",
        at: ["freeze.components.language_model:4", "freeze.freeze_llm:2"],
      },
      {
        yaml: "freeze:\n  freeze_vision_tower: true\n  components:\n    vision_tower: { unfreeze_at_step: 5 }",
        at: ["freeze.freeze_vision_tower:2", "freeze.components.vision_tower:4"],
      },
    ],
  },
  "tied-parameters-split": {
    valid: [
      { yaml: "", tied: TIED },
      { yaml: "freeze: { components: { language_model: { match: [lm_head, embed_tokens] } } }", tied: TIED },
    ],
    invalid: [
      {
        yaml: "freeze:\n  components:\n    language_model: { match: [lm_head] }",
        tied: TIED,
        at: ["freeze.components.language_model:3"],
        says: "embed_tokens",
      },
    ],
  },
  "setting-for-frozen-component": {
    valid: [{ yaml: "freeze: { components: { language_model: { lora: {} } } }", added: ADDED }],
    invalid: [
      {
        yaml: "freeze:\n  freeze_llm: true\n  components:\n    language_model: { lora: { rank: 2 } }",
        at: ["freeze.components.language_model:4", "freeze.freeze_llm:2"],
        added: ADDED,
      },
      {
        yaml: "freeze:\n  train_mm_proj_only: true",
        preset: "freeze:\n  components:\n    language_model: { lora: { rank: 2 } }",
        at: ["freeze.components.language_model:3", "freeze.train_mm_proj_only:2"],
        severity: "warning",
        added: ADDED,
      },
    ],
  },
  "adapter-and-full": {
    valid: [
      { yaml: "freeze: { components: { language_model: { lora: {} }, multi_modal_projector: train } }", added: ADDED },
    ],
    invalid: [
      {
        yaml: "freeze:\n  freeze_llm: false\n  components:\n    language_model: { lora: { rank: 2 } }",
        at: ["freeze.components.language_model:4", "freeze.freeze_llm:2"],
        added: ADDED,
      },
      {
        yaml: "freeze:\n  components:\n    language_model: { lora: { rank: 2 }, last_blocks: 1 }",
        at: ["freeze.components.language_model:3"],
        added: ADDED,
      },
    ],
  },
  "adapter-without-plugin": {
    valid: [{ yaml: "freeze: { components: { language_model: { lora: {} } } }", added: ADDED }],
    invalid: [
      {
        yaml: "freeze:\n  components:\n    language_model: { lora: { rank: 2 } }",
        at: ["freeze.components.language_model:3"],
        says: "no loaded plugin makes adapters",
      },
    ],
  },
  "schedule-position-unknown": {
    valid: [
      {
        yaml: "freeze: { freeze_multi_modal_projector: false, components: { vision_tower: { unfreeze_at_step: 5 } } }",
      },
    ],
    invalid: [
      {
        yaml: "freeze:\n  components: { vision_tower: { unfreeze_at_epoch: 1 } }",
        at: ["freeze.components.vision_tower:2"],
        severity: "note",
      },
    ],
  },
};

function findingsOf({ yaml, preset, tied, added }: Case, rule: string) {
  const settings = [
    ...(preset === undefined ? [] : settingsOfYaml(preset, { origin: "preset", file: "preset.yaml" })),
    ...settingsOfYaml(yaml),
  ];
  const { findings } = compilePolicy({
    settings,
    components: STUB_COMPONENTS,
    parameters: stubParameters({ tied, added }),
  });
  return findings.filter((finding) => finding.rule === rule);
}

it("has cases for every rule of the policy, and every rule has docs", () => {
  expect(Object.keys(cases).sort()).toEqual(FREEZE_RULES.map(({ id }) => id).sort());
  for (const { docs, summary } of FREEZE_RULES) {
    expect(docs).toMatch(/\n$/);
    expect(summary).toMatch(/\.$/);
  }
});

for (const [rule, { valid, invalid }] of Object.entries(cases)) {
  describe(rule, () => {
    for (const one of valid) it(`accepts ${JSON.stringify(one.yaml)}`, () => expect(findingsOf(one, rule)).toEqual([]));
    for (const one of invalid) {
      it(`reports ${JSON.stringify(one.yaml)}`, () => {
        const findings = findingsOf(one, rule);
        expect(findings).toHaveLength(1);
        const finding = findings[0]!;
        expect(finding.severity).toBe(one.severity ?? "error");
        expect(finding.settings.map(({ path, line }) => `${path}:${line}`)).toEqual(one.at);
        expect(`${finding.message} ${finding.fix}`).toContain(one.says ?? "");
        expect(finding.message).toMatch(/\.$/);
        expect(finding.fix).toMatch(/\.$/);
      });
    }
  });
}
