import { FLOAT32_BYTES, type Batch } from "@thaw/contracts";
import type { PlannedContext } from "../api/contexts.js";
import type { Phase } from "../model/phase.js";
import { countTokens } from "../model/supervision.js";
import { activationBytes, matrixWidths } from "../plan/activation-bytes.js";
import { planMemory } from "../plan/plan-report.js";
import { innermost } from "../segments/segments.js";
import { segmentRows } from "../segments/segment-rows.js";

/** Bytes in tensors at the fullest moment of a step, estimated from shapes. */
export interface StepMemory {
  /** What stays: parameters in the forms in which they are kept, and of what trains gradients and optimizer slots. */
  readonly residentBytes: number;
  /** What comes and goes: activations that are kept for backward, and what the largest block computes with. */
  readonly passingBytes: number;
  /** Both together. */
  readonly totalBytes: number;
}

/** The phase of the plan and the micro-batch that an estimate is for. */
export interface StepMemoryInput {
  readonly phase: Pick<Phase, "plan" | "flows">;
  readonly batch: Pick<Batch, "attentionMask" | "media">;
  /** Blocks that are computed again in backward: they keep their inputs, and one of them at a time its activations. */
  readonly recomputed: ReadonlySet<string>;
}

/**
 * What a step of a micro-batch needs, from shapes alone. Beside the peak of a step on WASM it is 0.88 to 1.23 times as
 * much (LLaVA of two million parameters, with each component trained, all, adapters, or blocks computed again); on
 * native, which computes attention in one kernel, up to 1.7 times.
 */
export function stepMemory(
  planned: PlannedContext,
  { phase: { plan, flows }, batch, recomputed }: StepMemoryInput,
): StepMemory {
  const rowsOf = segmentRows(planned, batch.media, countTokens(batch));
  const blocks = innermost(planned.model.segments);
  const bytesOf = (names: readonly string[]): number => activationBytes(planned, flows, new Set(names), rowsOf);
  const again = blocks.map(({ name }) => name).filter((name) => recomputed.has(name));
  const kept = blocks.map(({ name }) => name).filter((name) => !recomputed.has(name));
  const inputs = again.reduce((sum, name) => sum + FLOAT32_BYTES * planned.model.text.hiddenSize * rowsOf(name), 0);
  const oneAgain = Math.max(0, ...again.map((name) => bytesOf([name])));
  const residentBytes = [...planMemory(planned, plan.fromStep).values()].reduce(
    (sum, { parameterBytes, trainedBytes }) => sum + parameterBytes + trainedBytes,
    0,
  );
  const widths = matrixWidths(planned);
  const workBytes = FLOAT32_BYTES * Math.max(0, ...blocks.map((block) => widths(block) * rowsOf(block.name)));
  const passingBytes = bytesOf(kept) + inputs + oneAgain + workBytes;
  return { residentBytes, passingBytes, totalBytes: residentBytes + passingBytes };
}
