import type { BatchSource, Claims } from "@thaw/core";
import { describe, expect, it } from "vitest";
import { claimingPlugin, planYaml } from "../../../../test/support/plan-yaml.js";
import { checkerRules } from "./index.js";

interface Case {
  readonly yaml: string;
  readonly preset?: string;
  /** Plugins by name. */
  readonly claims?: Readonly<Record<string, Claims>>;
  readonly train?: Partial<BatchSource>;
}

interface Invalid extends Case {
  /** Paths and lines of the finding's settings. */
  readonly at: readonly string[];
  readonly severity?: string;
  readonly says?: string;
}

const PROJECTOR = "freeze:\n  train_mm_proj_only: true\n";

const cases: Readonly<Record<string, { readonly valid: readonly Case[]; readonly invalid: readonly Invalid[] }>> = {
  "setting-for-frozen-component": {
    valid: [
      { yaml: `${PROJECTOR}training: { components: { multi_modal_projector: { learning_rate: 1e-3 } } }` },
      { yaml: "training: { components: { languageModel: { weight_decay: 0.1 } } }" },
    ],
    invalid: [
      {
        yaml: `${PROJECTOR}training:\n  components: { vision_tower: { learning_rate: 1e-5 } }`,
        at: ["training.components.vision_tower.learning_rate:4", "freeze.train_mm_proj_only:2"],
      },
      {
        yaml: "training:\n  components: { vision_tower: { learning_rate: 1e-5 } }",
        at: ["training.components.vision_tower.learning_rate:2"],
        says: "Add `freeze.freeze_vision_tower: false` to train it",
      },
      {
        yaml: "training:\n  components: { visionTower: { learningRate: 1e-5 } }",
        at: ["training.components.visionTower.learningRate:2"],
        says: "Add `freeze.freezeVisionTower: false`",
      },
      {
        yaml: PROJECTOR,
        preset: "training:\n  components: { language_model: { weight_decay: 0.1 } }",
        at: ["training.components.language_model.weight_decay:2", "freeze.train_mm_proj_only:2"],
        severity: "warning",
      },
    ],
  },
  "frozen-and-trained": {
    valid: [{ yaml: PROJECTOR, claims: { Cache: { components: { vision_tower: "frozen" } } } }],
    invalid: [
      {
        yaml: "freeze:\n  freeze_vision_tower: false",
        claims: { Cache: { components: { vision_tower: "frozen" } } },
        at: ["freeze.freeze_vision_tower:2"],
        says: "The plugin Cache",
      },
      {
        yaml: "",
        claims: { Aligner: { components: { multi_modal_projector: "train" } } },
        at: [],
        says: "frozen by default",
      },
    ],
  },
  "zero-learning-rate": {
    valid: [{ yaml: "training: { learning_rate: 0, components: { language_model: { learning_rate: 1e-4 } } }" }],
    invalid: [
      { yaml: "training:\n  learning_rate: 0", at: ["training.learning_rate:2"], severity: "warning" },
      {
        yaml:
          "freeze:\n  freeze_multi_modal_projector: false\ntraining:\n  components: { language_model: { " +
          "learning_rate: 0 } }",
        at: ["training.components.language_model.learning_rate:4"],
        severity: "warning",
        says: "`freeze: { components: { language_model: frozen } }`",
      },
    ],
  },
  "large-learning-rate": {
    valid: [{ yaml: "training: { learning_rate: 1e-2 }" }],
    invalid: [
      {
        yaml: "training:\n  learning_rate: 5",
        at: ["training.learning_rate:2"],
        severity: "warning",
        says: "1e-3 or less",
      },
      {
        yaml: `${PROJECTOR}training:\n  components: { multi_modal_projector: { learning_rate: 1e10 } }`,
        at: ["training.components.multi_modal_projector.learning_rate:4"],
        severity: "warning",
      },
    ],
  },
  "batch-larger-than-set": {
    valid: [
      { yaml: "training: { micro_batch_size: 8 }", train: { sampleCount: 8 } },
      { yaml: "training: { micro_batch_size: 8 }" },
      { yaml: "training: { learning_rate: 1e-4 }", train: { sampleCount: 1 } },
    ],
    invalid: [
      {
        yaml: "training:\n  micro_batch_size: 100000",
        train: { sampleCount: 8 },
        at: ["training.micro_batch_size:2"],
        severity: "warning",
        says: "the training set has 8",
      },
    ],
  },
  "claims-collide": {
    valid: [{ yaml: PROJECTOR, claims: { A: { writes: ["gradients"] }, B: { writes: ["gradients"] } } }],
    invalid: [
      {
        yaml: PROJECTOR,
        claims: { A: { exclusive: ["segmentOutputs:vision_tower"] }, B: { writes: ["segmentOutputs:vision_tower"] } },
        at: [],
        says: "A and B both write segmentOutputs:vision_tower",
      },
    ],
  },
  "dead-parameter": {
    valid: [
      { yaml: PROJECTOR },
      { yaml: "freeze: { components: { vision_tower: { match: [layers.1] } } }" },
      { yaml: "freeze: { stop_gradient_after: [vision_tower] }" },
    ],
    invalid: [
      {
        yaml: "freeze:\n  freeze_vision_tower: false",
        at: ["freeze.freeze_vision_tower:2"],
        severity: "warning",
        says: "post_layernorm",
      },
      {
        yaml: "freeze:\n  freeze_multi_modal_projector: false\n  stop_gradient_after: [multi_modal_projector]",
        at: ["freeze.stop_gradient_after:3", "freeze.freeze_multi_modal_projector:2"],
        severity: "warning",
        says: "4 trained parameters of multi_modal_projector are behind a stopped gradient",
      },
      {
        yaml:
          "freeze:\n  components: { language_model: { last_blocks: 2 } }\n  stop_gradient_after: " +
          "[language_model.layers.1]",
        at: ["freeze.stop_gradient_after:3", "freeze.components.language_model:2"],
        severity: "warning",
        says: "layers.1.self_attn",
      },
    ],
  },
  "unfreeze-after-the-end": {
    valid: [
      {
        yaml:
          "freeze: { freeze_multi_modal_projector: false, components: { language_model: { unfreeze_at_step: 99 } } " +
          "}\ntraining: { max_steps: 100 }",
      },
    ],
    invalid: [
      {
        yaml:
          "freeze:\n  freeze_multi_modal_projector: false\n  components:\n    language_model: { unfreeze_at_step: " +
          "100 }\ntraining: { max_steps: 100 }",
        at: ["freeze.components.language_model:4"],
        severity: "warning",
        says: "start training at step 100, and the run has 100 steps",
      },
      {
        yaml:
          "freeze:\n  freeze_multi_modal_projector: false\n  components:\n    language_model: { freeze_at_epoch: 3 " +
          "}\ntraining: { epochs: 2, micro_batch_size: 8 }",
        train: {},
        at: ["freeze.components.language_model:4"],
        severity: "warning",
        says: "stop training at step 24",
      },
    ],
  },
  "checkpointing-without-gradient": {
    valid: [
      { yaml: `${PROJECTOR}training: { activation_checkpointing: auto }` },
      { yaml: "freeze: { freeze_vision_tower: false }\ntraining: { activation_checkpointing: on }" },
    ],
    invalid: [
      {
        yaml: `${PROJECTOR}training:\n  activation_checkpointing: on`,
        at: ["training.activation_checkpointing:4"],
        severity: "note",
        says: "vision_tower",
      },
    ],
  },
  "missing-checkpointing": {
    valid: [
      { yaml: "training: { micro_batch_size: 8, activation_checkpointing: off }" },
      { yaml: "checks: { memory_limit: 1kB }" },
      { yaml: "checks: { memory_limit: 1MiB }" },
    ],
    invalid: [
      {
        yaml: "training:\n  micro_batch_size: 8\n  activation_checkpointing: off\nchecks:\n  memory_limit: 4kB",
        at: ["training.micro_batch_size:2"],
        severity: "warning",
        says: "activation_checkpointing: auto",
      },
    ],
  },
  "new-tokens-with-frozen-embeddings": {
    valid: [{ yaml: "data: { added_tokens: [<box>] }" }, { yaml: `${PROJECTOR}data: { added_tokens: [] }` }],
    invalid: [
      {
        yaml: `${PROJECTOR}data:\n  added_tokens: [<box>]`,
        at: ["data.added_tokens:4"],
        severity: "warning",
        says: "match: [embed_tokens]",
      },
    ],
  },
  "frozen-in-training-mode": {
    valid: [
      { yaml: "freeze: { freeze_vision_tower: false }", claims: { Noise: { writes: ["trainingMode:vision_tower"] } } },
    ],
    invalid: [
      {
        yaml: "freeze:\n  freeze_vision_tower: true",
        claims: { Noise: { writes: ["trainingMode:vision_tower"] } },
        at: ["freeze.freeze_vision_tower:2"],
        severity: "warning",
        says: "Noise",
      },
    ],
  },
  "cache-with-stochastic-tower": {
    valid: [
      {
        yaml: PROJECTOR,
        claims: {
          Cache: { writes: ["segmentOutputs:vision_tower"] },
          Noise: { writes: ["trainingMode:language_model"] },
        },
      },
    ],
    invalid: [
      {
        yaml: PROJECTOR,
        claims: {
          Cache: { writes: ["segmentOutputs:vision_tower"] },
          Noise: { writes: ["trainingMode:vision_tower"] },
        },
        at: [],
        says: "Cache caches the output of vision_tower",
      },
    ],
  },
};

/** Rules that core checks itself; their tables are in core. */
const OF_CORE = [
  "component-claimed-twice",
  "parameter-unowned",
  "resume-with-another-plan",
  "stage-loses-parameters",
  "stop-rule-unmeasured",
  "quantized-and-trained",
  "frozen-precision-without-effect",
  "plan-incomplete",
];

/** Rules about what a checkpoint is; tested on one, by the command. */
const OF_CHECKPOINTS = ["model-cannot-run"];

async function findingsOf({ yaml, preset, claims = {}, train }: Case, rule: string) {
  const plugins = Object.entries(claims).map(([name, claim]) => claimingPlugin(name, claim));
  const { result } = await planYaml(yaml, { preset, plugins, train });
  return result.findings.filter((finding) => finding.rule === rule);
}

it("has cases for every rule of the checker, and every rule is described", () => {
  const rules = checkerRules({ memoryLimitBytes: 1 });
  expect([...Object.keys(cases), ...OF_CORE, ...OF_CHECKPOINTS].sort()).toEqual(rules.map(({ id }) => id).sort());
  for (const { id, summary } of rules) {
    expect(id).toMatch(/^[a-z]+(-[a-z]+)+$/);
    expect(summary).toMatch(/\.$/);
  }
});

for (const [rule, { valid, invalid }] of Object.entries(cases)) {
  describe(rule, () => {
    for (const one of valid)
      it(`accepts ${JSON.stringify(one.yaml)}`, async () => expect(await findingsOf(one, rule)).toEqual([]));
    for (const one of invalid) {
      it(`reports ${JSON.stringify(one.yaml)}`, async () => {
        const findings = await findingsOf(one, rule);
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
