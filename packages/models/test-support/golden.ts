import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { setWasmPaths } from "@tensorflow/tfjs-backend-wasm";
import * as tf from "@tensorflow/tfjs-core";
import "@tensorflow/tfjs-backend-cpu";
import type { LoadedBatch } from "@thaw/contracts";
import { mediaOf, patchRows } from "./images.js";
import type { SafetensorsReader } from "@thaw/safetensors";

const fixtures = fileURLToPath(new URL("../../../test/fixtures", import.meta.url));

/** Golden folders of LLaVA models. */
export const GOLDEN_FOLDERS = {
  llava: `${fixtures}/goldens/llava`,
  llava_options: `${fixtures}/llava_options`,
} as const;
export type GoldenName = keyof typeof GOLDEN_FOLDERS;

/** What transformers generates greedily from the prompts. */
export const generated = JSON.parse(readFileSync(`${fixtures}/generated.json`, "utf8")) as Record<
  GoldenName,
  number[][]
>;

export interface GoldenFacts {
  readonly loss: number;
  readonly without_gradient: readonly string[];
  readonly module_names: Readonly<Record<string, string>>;
  readonly owner: Readonly<Record<string, string>>;
}

export function goldenFacts(folder: string): GoldenFacts {
  return JSON.parse(readFileSync(`${folder}/golden.json`, "utf8")) as GoldenFacts;
}

/** Makes a backend current. */
export async function useBackend(name: "cpu" | "wasm"): Promise<void> {
  setWasmPaths(`${dirname(createRequire(import.meta.url).resolve("@tensorflow/tfjs-backend-wasm"))}/`);
  await tf.setBackend(name);
  await tf.ready();
}

/** The batch of a golden; the caller disposes its inputs. */
export async function goldenBatch(golden: SafetensorsReader): Promise<LoadedBatch> {
  const [batchSize, tokenCount] = golden.entry("in.input_ids").shape as [number, number];
  const tokenIds = await golden.readInt32("in.input_ids");
  const images = patchRows(await golden.readFloat32("in.pixel_values"), golden.entry("in.pixel_values").shape);
  return {
    tokenIds,
    attentionMask: await golden.readInt32("in.attention_mask"),
    labels: await golden.readInt32("in.labels"),
    batchSize,
    tokenCount,
    media: mediaOf({ tokenIds, batchSize, tokenCount }, images),
    inputs: { pixelValues: images },
    segmentOutputs: {},
    samples: Array.from({ length: batchSize }, (_, row) => ({ id: String(row) })),
  };
}

/** The prompts of a golden's batch, without their answers: ids by row. */
export function prompts({ tokenIds, labels, batchSize, tokenCount }: LoadedBatch): number[][] {
  return Array.from({ length: batchSize }, (_, row) => {
    const start = labels.subarray(row * tokenCount, (row + 1) * tokenCount).findIndex((label) => label !== -100);
    return [...tokenIds.subarray(row * tokenCount, row * tokenCount + start)];
  });
}

/** Rows whose next token is supervised, and those tokens. */
export function supervised({ labels, batchSize, tokenCount }: LoadedBatch): {
  readonly rows: Int32Array;
  readonly targets: Int32Array;
} {
  const rows = Array.from({ length: batchSize * tokenCount }, (_, at) => at).filter(
    (at) => (at + 1) % tokenCount !== 0 && labels[at + 1] !== -100,
  );
  return { rows: Int32Array.from(rows), targets: Int32Array.from(rows, (at) => labels[at + 1]!) };
}

/** Largest absolute difference; NaN counts as infinite. */
export function largestDifference(
  left: ArrayLike<number>,
  right: ArrayLike<number>,
  isCompared: (index: number) => boolean = () => true,
): number {
  if (left.length !== right.length) return Infinity;
  let largest = 0;
  for (let index = 0; index < left.length; index++) {
    const difference = isCompared(index) ? Math.abs(left[index]! - right[index]!) : 0;
    if (!(difference <= largest)) largest = Number.isNaN(difference) ? Infinity : difference;
  }
  return largest;
}
