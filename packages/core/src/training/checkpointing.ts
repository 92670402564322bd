import { freemem } from "node:os";
import { bytesText, type Batch } from "@thaw/contracts";
import type { Backend, PlannedContext } from "../api/contexts.js";
import type { ResolvedTrainingOptions } from "../api/options.js";
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
    const { choice, planned, memoryBytes } = this.#input;
    if (choice === "off") return new Set();
    const blocks = checkpointableSegments(planned.model.segments, phase.flows);
    const bytes = activationBytes(planned, phase.flows, blocks, segmentRows(planned, batch.media, countTokens(batch)));
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

/** What activations may take: half of what is free now; less on WebAssembly. */
export function activationMemoryBytes(backend: Pick<Backend, "name">): number {
  const machine = Math.min(freemem(), process.availableMemory?.() ?? Number.POSITIVE_INFINITY) / 2;
  return backend.name === "wasm" ? Math.min(machine, WASM_BYTES / 2) : machine;
}
