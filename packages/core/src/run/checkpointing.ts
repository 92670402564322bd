import { freemem, totalmem } from "node:os";
import type { Batch } from "@thaw/contracts";
import type { Backend, PlannedContext } from "../hooks.js";
import type { ResolvedTrainingOptions } from "../options.js";
import { checkpointableSegments, type Phase } from "./phase.js";

/** WebAssembly addresses 4 GiB, of which weights and slots need a part. */
const WASM_BYTES = 3e9;

/**
 * Which blocks are computed again in backward. `on`: all that a gradient passes through; `off`: none; `auto`: all of them where
 * their activations, estimated for the batch, would take more than the memory that is there.
 */
export function chooseCheckpointed(
  choice: ResolvedTrainingOptions["activationCheckpointing"], planned: PlannedContext, phase: Phase, batch: Pick<Batch, "batchSize" | "tokenCount">, memoryBytes: number,
): ReadonlySet<string> {
  if (choice === "off") return new Set();
  const blocks = checkpointableSegments(planned.model.segments, phase.flows);
  if (choice === "on") return blocks;
  return activationBytes(planned, blocks, batch) > memoryBytes ? blocks : new Set();
}

/**
 * Estimated bytes that blocks keep for backward: inputs and outputs of their matrices for every token. Attention weights are not
 * known from shapes; twice the sum stands for them and for what lies between.
 */
export function activationBytes(planned: PlannedContext, blocks: ReadonlySet<string>, { batchSize, tokenCount }: Pick<Batch, "batchSize" | "tokenCount">): number {
  const shapes = new Map(planned.parameters.map(({ name, shape }) => [name, shape]));
  const widths = planned.model.segments.filter(({ name }) => blocks.has(name)).flatMap(({ parameters }) => parameters).map((name) => {
    const shape = shapes.get(name) ?? [];
    return shape.length === 2 ? shape[0]! + shape[1]! : 0;
  });
  return 2 * 4 * batchSize * tokenCount * widths.reduce((sum, width) => sum + width, 0);
}

/** What activations may take: half of what is free now, at most half of all; less on WebAssembly. */
export function activationMemoryBytes(backend: Backend): number {
  const machine = Math.min(freemem(), totalmem()) / 2;
  return backend.name === "wasm" ? Math.min(machine, WASM_BYTES / 2) : machine;
}
