import type { ParameterInfo, PlannedContext, Segment } from "@thaw/core";
import { elementCount, trainingSchema } from "@thaw/core";
import type { AnswerPrediction } from "@thaw/plugin-captions";
import { newRecord, type CaptionRecord, type RunRecord } from "../src/record/record.js";

const PARAMETERS: readonly (readonly [string, string, readonly number[]])[] = [
  ["vision_tower.embeddings.weight", "vision_tower", [128, 192]],
  ["vision_tower.layers.0.weight", "vision_tower", [1024, 1024]],
  ["multi_modal_projector.linear_1.weight", "multi_modal_projector", [128, 128]],
  ["multi_modal_projector.linear_1.bias", "multi_modal_projector", [128]],
  ["language_model.layers.0.weight", "language_model", [640, 1024]],
];

/** A plan that trains the projector alone, as core would hand it to a tap of `planned`. */
export function samplePlanned(): PlannedContext {
  const parameters: ParameterInfo[] = PARAMETERS.map(([name, , shape]) => ({ name, shape, dtype: "F32" }));
  const owners = new Map(PARAMETERS.map(([name, component]) => [name, component]));
  const reasons: Record<string, string> = {
    vision_tower: "frozen by freeze.train_mm_proj_only: true (thaw.config.yaml:7, explicit)",
    multi_modal_projector: "trained by freeze.train_mm_proj_only: true (thaw.config.yaml:7, explicit)",
    language_model:
      "frozen by freeze.train_mm_proj_only: true (thaw.config.yaml:7, explicit), which overrides the default of " +
      "freeze_language_model",
  };
  const entries = PARAMETERS.map(([name, component]) => ({
    name,
    component,
    trainable: component === "multi_modal_projector",
    group: component,
    reason: { text: reasons[component]!, settings: [] },
  }));
  const names = ["vision_tower", "multi_modal_projector", "language_model"];
  const segments: Segment[] = names.map((name, index) => ({
    name,
    after: index === 0 ? [] : [names[index - 1]!],
    reads: index === 0 ? ["pixelValues"] : [],
    parameters: PARAMETERS.filter(([, component]) => component === name).map(([parameter]) => parameter),
  }));
  const components = names.map((name) => ({ name, prefixes: [name] }));
  const unused = (): never => {
    throw new Error("not part of this test");
  };
  return {
    model: {
      modelType: "llava",
      source: "./llava-tiny",
      components,
      parameters,
      segments,
      deadParameters: [],
      text: { vocabularySize: 10, hiddenSize: 4, maxPositions: 8, eosTokenIds: [0], padTokenId: 0 },
      load: unused,
      forward: unused,
      generate: unused,
      save: unused,
    },
    components,
    parameters,
    owners,
    settings: [],
    training: trainingSchema.parse({ maxSteps: 200 }),
    totalSteps: 200,
    report: () => undefined,
    requests: [],
    plan: { phases: [{ fromStep: 0, entries }] },
    groups: [],
    optimizer: {
      type: "adamw",
      keeps: "AdamW's two moments",
      shares: 1,
      slotBytes: ({ shape }) => 8 * elementCount(shape),
    },
    claims: new Map(),
    flows: new Map(),
    sources: new Map(),
    findings: [
      {
        rule: "zero-learning-rate",
        severity: "warning",
        message: "The projector trains with a learning rate of 0, so it stays as it is.",
        fix: "Freeze it, or give training.components.multi_modal_projector.learning_rate a rate above 0.",
        settings: [
          {
            path: "training.components.multi_modal_projector.learning_rate",
            value: 0,
            origin: "explicit",
            file: "/x/thaw.config.yaml",
            line: 12,
          },
        ],
      },
    ],
    planHash: "5f2d1c0e9b8a7766554433221100ffeeddccbbaa99887766554433221100aabb",
  };
}

/** A whole run, finished. */
export function sampleRecord(): RunRecord {
  const record = newRecord();
  record.backend = "WASM with SIMD, one thread";
  record.planned = samplePlanned();
  for (let step = 1; step <= 200; step++)
    record.steps.push({
      step,
      loss: 1.1 + 5 * Math.exp(-step / 30) + 0.15 * Math.sin(step),
      durationMs: 240,
      peakBytes: 61e6,
    });
  record.captions.push(sampleCaptions("twemoji", 0.442), sampleCaptions("twemoji-unseen", 0.101));
  record.summary = {
    runFolder: "/x/runs/run-1",
    steps: 200,
    epochs: 8.5,
    stopReason: "max_steps reached",
    isInterrupted: false,
    firstLoss: 6.93,
    lastLoss: 1.12,
    durationMs: 96_000,
    trainingMs: 48_000,
    tokens: 432_000,
    peakTensorBytes: 80e6,
    components: [
      { name: "vision_tower", trainable: 0, frozen: 1_073_152, flows: ["prefix"] },
      { name: "multi_modal_projector", trainable: 16_512, frozen: 0, flows: ["trained"] },
      { name: "language_model", trainable: 0, frozen: 655_360, flows: ["through"] },
    ],
    frozenProof: ["vision_tower", "language_model"].map((component, index) => ({
      component,
      parameterCount: 2 - index,
      before: "ab".repeat(32),
      after: "ab".repeat(32),
      isUnchanged: true,
    })),
    findings: record.planned.findings,
    deadGradients: [],
    evaluations: {},
    lines: ["Feature cache: 1,498 pictures computed once, 11,302 lookups answered from memory."],
    numbers: {},
  };
  record.saving = {
    frozen: { steps: 199, stepMs: 240, peakBytes: 61e6, trainedParameters: 16_512 },
    allTrainable: { steps: 3, stepMs: 2900, peakBytes: 410e6, trainedParameters: 1_745_024 },
  };
  return record;
}

function sampleCaptions(name: string, tokenF1: number): CaptionRecord {
  const words = [
    "dog face",
    "red apple",
    "grinning cat with smiling eyes",
    "fire engine",
    '<b>bold</b> & "quoted"',
    "sun",
  ];
  const answers = Array.from({ length: 60 }, (_, index): AnswerPrediction => {
    const reference = words[index % words.length]!;
    const answer = index % 3 === 0 ? reference : index % 3 === 1 ? "cat" : "";
    return {
      index,
      id: reference.replaceAll(" ", "-"),
      reference,
      prediction: answer,
      scores: { tokenF1: answer === reference ? 1 : index % 6 === 4 ? 0.4 : 0 },
    };
  });
  const before = answers.map((answer) => ({ ...answer, prediction: "the the the", scores: { tokenF1: 0 } }));
  const common = { samples: 60, unscored: 412 };
  return {
    name,
    better: { tokenF1: "higher", exactMatch: "higher" },
    before: { ...common, step: 0, scores: { tokenF1: 0.004, exactMatch: 0 }, predictions: before },
    after: { ...common, step: 200, scores: { tokenF1, exactMatch: tokenF1 * 0.85 }, predictions: answers },
    baselines: {
      majority: { tokenF1: 0.05, exactMatch: 0.001 },
      nearestNeighbour: { tokenF1: 0.316, exactMatch: 0.286 },
    },
  };
}
