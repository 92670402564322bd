import * as tf from "@tensorflow/tfjs-core";
import { freemem } from "node:os";
import { tensorFunctions } from "@thaw/autograd";
import { bytesText, type Batch } from "@thaw/contracts";
import type { Backend, PlannedContext } from "../api/contexts.js";
import type { Precision, ResolvedTrainingOptions } from "../api/options.js";
import { activationBytes } from "../plan/activation-bytes.js";
import { checkpointableSegments, type Phase } from "../model/phase.js";
import type { RunPart } from "../run/run-part.js";
import { countTokens } from "../model/supervision.js";
import { segmentRows } from "../segments/segment-rows.js";

/** WebAssembly addresses 4 GiB, of which weights and slots need a part. */
const WASM_BYTES = 3e9;
type CountedBatch = Pick<Batch, "attentionMask" | "media">;

/** What decides where blocks are computed again. */
export interface CheckpointingInput {
  readonly choice: ResolvedTrainingOptions["activationCheckpointing"];
  readonly planned: PlannedContext;
  /** What activations may take. */
  readonly memoryBytes: number;
  /** Share of float32's bytes that activations take. Default: 1. */
  readonly share?: number;
}

/**
 * Decides which blocks are computed again in backward. `on`: all that a gradient passes through; `off`: none; `auto`:
 * all of them where their activations, estimated for the micro-batch, would take more than the memory that is there.
 * Remembers what it decided.
 */
export class Checkpointing implements RunPart {
  readonly #input: CheckpointingInput;
  #microBatches = 0;
  #checkpointed = 0;
  #largestBytes = 0;

  constructor(input: CheckpointingInput) {
    this.#input = input;
  }

  choose(phase: Pick<Phase, "flows">, batch: CountedBatch): ReadonlySet<string> {
    const { choice, planned, memoryBytes, share = 1 } = this.#input;
    if (choice === "off") return new Set();
    const blocks = checkpointableSegments(planned.model.segments, phase.flows);
    const rows = segmentRows(planned, batch.media, countTokens(batch));
    const bytes = share * activationBytes(planned, phase.flows, blocks, rows);
    const isNeeded = choice === "on" || bytes > memoryBytes;
    this.#microBatches += 1;
    this.#checkpointed += isNeeded ? 1 : 0;
    this.#largestBytes = Math.max(this.#largestBytes, bytes);
    return isNeeded ? blocks : new Set();
  }

  summary(): { readonly lines: readonly string[]; readonly numbers: Readonly<Record<string, number>> } {
    return { lines: this.lines, numbers: this.numbers };
  }

  /** For the summary; nothing where there was nothing to decide. */
  get numbers(): Readonly<Record<string, number>> {
    if (this.#input.choice !== "auto" || this.#microBatches === 0) return {};
    return { activationBytes: this.#largestBytes, checkpointedMicroBatches: this.#checkpointed };
  }

  /** The same for people. */
  get lines(): readonly string[] {
    if (this.#input.choice !== "auto" || this.#microBatches === 0 || this.#largestBytes === 0) return [];
    const [needed, limit] = [bytesText(this.#largestBytes), bytesText(this.#input.memoryBytes)];
    if (this.#checkpointed === 0)
      return [
        `Activation checkpointing: off, since about ${needed} of activations fit into the ${limit} that they may take.`,
      ];
    const often =
      this.#checkpointed === this.#microBatches
        ? "on"
        : `on for ${this.#checkpointed} of ${this.#microBatches} micro-batches`;
    return [
      `Activation checkpointing: ${often}, since up to about ${needed} of activations do not fit into the ` +
        `${limit} that they may take.`,
    ];
  }
}

/** That of a run whose model is loaded. */
export function checkpointingOf(
  planned: PlannedContext,
  { activationCheckpointing: choice, precision }: ResolvedTrainingOptions,
  backend: Backend,
): Checkpointing {
  const memoryBytes = activationMemoryBytes(backend);
  return new Checkpointing({ choice, planned, memoryBytes, share: activationShare(precision) });
}

/** Where compiled functions multiply in bfloat16, they keep and hand on half the bytes. */
export function activationShare(precision: Precision): number {
  return precision === "bfloat16" && tensorFunctions() !== undefined ? 0.5 : 1;
}

/**
 * What activations may take: half of what is free now, on the device that has memory of its own and says how much of it
 * was free before weights came, else on the machine; less on WebAssembly.
 */
export function activationMemoryBytes({ name, freeBytes }: Pick<Backend, "name" | "freeBytes">): number {
  if (freeBytes !== undefined) return Math.max(0, freeBytes - tf.memory().numBytes) / 2;
  const machine = Math.min(freemem(), process.availableMemory?.() ?? Number.POSITIVE_INFINITY) / 2;
  return name === "wasm" ? Math.min(machine, WASM_BYTES / 2) : machine;
}
