import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { GraphComponent, LogLine, MetricsLine, RunSummary, SampleLine } from "@thaw/core";
import type { Comparison, RunStatus } from "../src/index.js";

const PIXEL = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==",
  "base64",
);
const BYTES = { parameterBytes: 4_878_336, trainedBytes: 0 };
const GRAPH: readonly GraphComponent[] = [
  {
    name: "vision_tower",
    state: "frozen",
    flows: ["prefix"],
    parameterCount: 1_219_584,
    trainedCount: 0,
    reason: "frozen by freeze.train_mm_proj_only: true (thaw.config.yaml:7, explicit)",
    after: [],
    reads: ["pixelValues"],
    gradientTo: [],
    ...BYTES,
  },
  {
    name: "multi_modal_projector",
    state: "train",
    flows: ["trained"],
    parameterCount: 33_024,
    trainedCount: 33_024,
    reason: "trained by freeze.train_mm_proj_only: true (thaw.config.yaml:7, explicit)",
    after: ["vision_tower"],
    reads: [],
    gradientTo: [],
    ...BYTES,
    trainedBytes: 396_288,
  },
  {
    name: "language_model",
    state: "frozen",
    flows: ["through"],
    parameterCount: 734_080,
    trainedCount: 0,
    reason: "frozen by freeze.train_mm_proj_only: true (thaw.config.yaml:7, explicit)",
    after: ["multi_modal_projector"],
    reads: ["tokenIds"],
    gradientTo: ["multi_modal_projector"],
    ...BYTES,
  },
];
const FINDING = {
  rule: "zero-learning-rate",
  severity: "warning",
  message: "The projector trains with a learning rate of `0`, so it stays as it is.",
  fix: "Freeze it, or give a rate above 0.",
  settings: [
    {
      path: "training.learning_rate",
      value: 0,
      origin: "explicit",
      file: "/home/ada/secret-project/thaw.config.yaml",
      line: 12,
    },
  ],
} as const;
const TIME = "2026-11-28T01:23:05.000Z";

/** What a run folder of `writeSampleRun` is to be like. */
export interface SampleRunOptions {
  readonly status?: Exclude<RunStatus, "running">;
  readonly steps?: number;
  /** The step after which it was taken up again, with another learning rate and plan. */
  readonly resumedAt?: number;
  /** Token F1 at the end. */
  readonly score?: number;
  /** Each line of an answer, before escaping. */
  readonly answer?: string;
}

/** Writes a run folder as core leaves it: a captioner with a frozen tower and language model. */
export function writeSampleRun(folder: string, options: SampleRunOptions = {}): void {
  const { status = "finished", steps = 200, resumedAt, score = 0.25, answer = "cat" } = options;
  mkdirSync(join(folder, "samples"), { recursive: true });
  const json = (name: string, value: unknown): void => writeFileSync(join(folder, name), JSON.stringify(value));
  const lines = (name: string, values: readonly unknown[]): void =>
    writeFileSync(join(folder, name), values.map((value) => `${JSON.stringify(value)}\n`).join(""));
  json("plan.json", { hash: "5f2d1c0e9b8a7766", graph: GRAPH, findings: [FINDING], phases: [0] });
  json("config.json", config(0.01));
  if (resumedAt !== undefined) {
    json(`config-step-${resumedAt}.json`, config(0.005));
    json(`plan-step-${resumedAt}.json`, { hash: "another", graph: GRAPH, findings: [FINDING], phases: [0] });
  }
  lines("metrics.jsonl", metrics(steps, score));
  lines("events.jsonl", log(status, steps, resumedAt));
  lines("samples.jsonl", [...samples(0, ""), ...samples(steps, answer)]);
  writeFileSync(join(folder, "samples", "pixel.png"), PIXEL);
  if (status === "failed" || status === "lost") return;
  json("summary.json", summary(steps, status === "interrupted"));
  json("comparison.json", COMPARISON);
}

const COMPARISON: Comparison = {
  frozen: { steps: 199, stepMs: 240, peakBytes: 61e6, trainedParameters: 33_024 },
  allTrainable: { steps: 3, stepMs: 2900, peakBytes: 410e6, trainedParameters: 1_986_688 },
};

function config(learningRate: number): object {
  return {
    model: { path: "/home/ada/secret-project/checkpoint" },
    training: { maxSteps: 200, learningRate },
    seed: 42,
    data: { train: "iconify:noto" },
    plugins: [],
    $saved: {
      file: "/home/ada/secret-project/thaw.config.yaml",
      overrides: [],
      settings: [
        { path: "model.path", value: "./checkpoint", origin: "explicit", file: "/home/ada/thaw.config.yaml", line: 3 },
        { path: "training.learning_rate", value: learningRate, origin: "explicit" },
      ],
    },
  };
}

function metrics(steps: number, score: number): readonly MetricsLine[] {
  const name = "captions/twemoji";
  const scored = (step: number, tokenF1: number): MetricsLine => ({
    event: "evaluated",
    step,
    epoch: 0,
    name,
    metrics: { tokenF1, samples: 60, unscored: 412 },
    durationMs: 900,
  });
  return [
    scored(0, 0.004),
    { event: "baseline", step: 0, name, baseline: "majority", metrics: { tokenF1: 0.05 } },
    { event: "baseline", step: 0, name, baseline: "nearest neighbour", metrics: { tokenF1: 0.3 } },
    ...Array.from({ length: steps }, (_, index): MetricsLine => {
      const step = index + 1;
      const loss = 1.1 + 5 * Math.exp(-step / 30) + 0.15 * Math.sin(step);
      return {
        event: "step",
        step,
        epoch: 0,
        // As a file has it where it was NaN
        loss: step === 3 ? (null as never) : loss,
        gradientNorm: 1 / step,
        learningRates: { default: 0.01 },
        supervisedTokens: 100,
        tokens: 2000,
        durationMs: 240,
        gradientNorms: { multi_modal_projector: 1 / step },
        ...(step % 10 === 1 ? { updateRatios: { multi_modal_projector: 0.02 } } : {}),
        times: { loadMs: 10, passesMs: 210, updateMs: 20 },
        peakBytes: 61e6,
        metrics: { featureCacheHits: step },
      };
    }),
    scored(steps, score),
  ];
}

function log(status: RunStatus, steps: number, resumedAt: number | undefined): readonly LogLine[] {
  const started = { event: "started", time: TIME, totalSteps: 200, planHash: "5f2d", backend: "WASM" } as const;
  const environment = { node: "v20.20.2", thaw: "0.1.0", command: "npx thaw train --set training.max_steps=200" };
  const ends: Readonly<Record<RunStatus, readonly LogLine[]>> = {
    running: [],
    lost: [],
    finished: [{ event: "done", time: TIME, step: steps, stopReason: "all 200 steps are done", isInterrupted: false }],
    interrupted: [{ event: "done", time: TIME, step: steps, stopReason: "Ctrl-C", isInterrupted: true }],
    failed: [{ event: "failed", time: TIME, step: steps, code: "THAW_CORE_NOT_FINITE", message: "The loss is NaN." }],
  };
  return [
    { ...started, step: 0, environment },
    { event: "warning", time: TIME, step: 1, text: "Look <here>." },
    ...(resumedAt === undefined
      ? []
      : [{ ...started, step: resumedAt, resumedFrom: `/home/ada/runs/x/checkpoints/step-${resumedAt}`, environment }]),
    ...ends[status],
  ];
}

function samples(step: number, answer: string): readonly SampleLine[] {
  return Array.from({ length: 20 }, (_, index) => ({
    event: "sample",
    step,
    name: "captions/twemoji",
    index,
    id: `twemoji:${index}`,
    texts: { question: "Caption:", reference: "cat", answer: index % 2 === 0 ? answer : "dog" },
    numbers: { tokenF1: index % 2 === 0 && answer !== "" ? 1 : 0 },
    images: ["samples/pixel.png"],
  }));
}

function summary(steps: number, isInterrupted: boolean): RunSummary {
  const proof = { parameterCount: 103, before: "ab".repeat(32), after: "ab".repeat(32), isUnchanged: true };
  return {
    steps,
    epochs: 8.5,
    stopReason: isInterrupted ? "Ctrl-C" : "all 200 steps are done",
    isInterrupted,
    firstLoss: 6.93,
    lastLoss: 1.12,
    durationMs: 96_000,
    trainingMs: 48_000,
    tokens: 432_000,
    peakTensorBytes: 80e6,
    components: [],
    frozenProof: [
      { component: "vision_tower", ...proof },
      { component: "language_model", ...proof, after: "cd".repeat(32), isUnchanged: false },
    ],
    findings: [FINDING],
    deadGradients: [],
    evaluations: {},
    best: {
      evaluation: "captions/twemoji",
      metric: "tokenF1",
      value: 0.4213,
      step: 150,
      folder: "/runs/other/checkpoints/step-150",
    },
    lines: ["Feature cache: 1,498 pictures.", "Feature cache: 1,498 pictures."],
    numbers: {},
  };
}
