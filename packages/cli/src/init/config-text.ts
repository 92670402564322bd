import { dirname, isAbsolute, relative, resolve } from "node:path";
import { existsSync } from "node:fs";
import { countText } from "@thaw/contracts";
import { stringify } from "yaml";
import type { TrainChoice } from "./choices.js";
import type { DataFacts, ModelFacts } from "./facts.js";

/** What a first config is made of. */
export interface ConfigAnswers {
  readonly model: ModelFacts;
  readonly data: DataFacts;
  readonly train: TrainChoice;
  readonly backend: string;
  /** Of what computes: frozen matrices in half the memory, where the hardware multiplies them. */
  readonly hasBfloat16: boolean;
}

/** Samples of a micro-batch, as the schema has it. */
const MICRO_BATCH = 8;
/** Updates after which a projector that began anew has learned something. */
const USEFUL_STEPS = 300;
const MOST_EPOCHS = 10;
/** Of fewer samples a tenth, drawn by their pictures, may be none at all. */
const LEAST_TO_SPLIT = 100;
const HELD_OUT_SHARE = 0.1;
/** Column that comments begin at. */
const COMMENT = 42;

/** The config, commented; `file` is where it will lie, which its paths start from. */
export function configText(answers: ConfigAnswers, file: string): string {
  const { model, data, train, backend, hasBfloat16 } = answers;
  const has = (name: string): boolean => model.components.some((component) => component.name === name);
  const { isSplit, microBatch, epochs, steps } = sizesOf(data.sampleCount);
  const rates = Object.entries(train.componentRates).filter(([name]) => has(name));
  return [
    "# Made by thaw init. What it means: thaw plan. What is wrong with it: thaw check. Then: thaw train.",
    "# Every option with its meaning: docs/options.md, or thaw config --schema.",
    "",
    line(`model: ${pathText(model.given, file)}`, modelNote(model)),
    "",
    "data:",
    line(`  train: ${pathText(data.given, file)}`, dataNote(data)),
    isSplit
      ? line(`  split: { fraction: ${HELD_OUT_SHARE} }`, "held out of training, and measured")
      : "  # evaluation: ./held-out.jsonl         # what is measured before and after training",
    "",
    "freeze:",
    ...train.freeze(has),
    "",
    "training:",
    line(`  epochs: ${epochs}`, steps === undefined ? "passes over the data" : `about ${countText(steps)} steps`),
    line(`  micro_batch_size: ${microBatch}`, "smaller where memory is short"),
    line("  gradient_accumulation_steps: 1", "micro-batches per step"),
    line(`  learning_rate: ${train.learningRate}`, train.source),
    line("  schedule: { type: cosine, warmup_ratio: 0.03 }", ""),
    ...(rates.length === 0 ? [] : ["  components:"]),
    ...rates.map(([name, rate]) => `    ${name}: { learning_rate: ${rate} }`),
    ...(hasBfloat16 ? [line("  precision: bfloat16", "frozen matrices in half the memory")] : []),
    "  # evaluate_every_steps: 50             # without it before the first step and at the end alone",
    "",
    line(`backend: ${backend}`, backend === "auto" ? "the fastest that is there: thaw doctor" : ""),
    line("output: ./runs", "each run gets a folder in it"),
    line("seed: 42", "the same seed trains the same"),
    "",
  ].join("\n");
}

function line(text: string, comment: string): string {
  return comment === "" ? text : `${text.padEnd(COMMENT - 2)} # ${comment}`;
}

/** A path as the config writes it, from its own folder; names on the hub and Iconify sets stay. */
function pathText(given: string, file: string): string {
  const isPath = existsSync(given);
  const path = isPath && !isAbsolute(given) ? relative(dirname(resolve(file)), resolve(given)) : given;
  const slashed = isPath ? path.replaceAll("\\", "/") : path;
  const isMarked = !isPath || isAbsolute(path) || slashed.startsWith(".");
  return stringify(isMarked ? slashed : `./${slashed}`, { lineWidth: 0 }).trimEnd();
}

function modelNote({ modelType, components, plansOnly }: ModelFacts): string {
  const count = components.reduce((sum, { parameterCount }) => sum + parameterCount, 0);
  const note = `${modelType}, ${countText(count)} parameters`;
  return plansOnly ? `${note}; Thaw plans this type, and does not train it` : note;
}

/** `captions, 54 samples`. */
export function dataNote({ type, sampleCount }: DataFacts): string {
  if (type === undefined) return "fetched from the hub when it trains";
  return `${type}, ${sampleCount === 1 ? "1 sample" : `${countText(sampleCount!)} samples`}`;
}

/** Sizes that fit so many samples: steps enough to learn something, as few passes as that takes. */
function sizesOf(sampleCount: number | undefined): {
  readonly isSplit: boolean;
  readonly microBatch: number;
  readonly epochs: number;
  readonly steps?: number;
} {
  if (sampleCount === undefined) return { isSplit: true, microBatch: MICRO_BATCH, epochs: 1 };
  const isSplit = sampleCount >= LEAST_TO_SPLIT;
  const trained = isSplit ? Math.round(sampleCount * (1 - HELD_OUT_SHARE)) : sampleCount;
  const microBatch = Math.max(1, Math.min(MICRO_BATCH, trained));
  const perEpoch = Math.ceil(trained / microBatch);
  const epochs = Math.max(1, Math.min(MOST_EPOCHS, Math.ceil(USEFUL_STEPS / perEpoch)));
  return { isSplit, microBatch, epochs, steps: epochs * perEpoch };
}
