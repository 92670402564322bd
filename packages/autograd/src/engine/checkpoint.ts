import type { Tensor } from "@tensorflow/tfjs-core";
import { runBackward } from "./backward.js";
import type { NodeKind, ValueNode } from "./node.js";
import { OpRecord, type RecordingMode } from "./record.js";
import type { Value } from "./value.js";

/** What a checkpoint needs of its tape. */
export interface Replayable {
  records: OpRecord[];
  mode: RecordingMode;
  onRead: ((node: ValueNode) => void) | null;
  node(kind: NodeKind, madeBy: string, tensor: Tensor, needsGradient: boolean): ValueNode;
  scalar(value: number): Tensor;
  tidy<T extends Value | readonly Value[]>(run: () => T): T;
  withMode<T>(mode: RecordingMode, run: () => T): T;
}

/**
 * Forward of `Tape.checkpoint`: runs `run` without saving anything, notes which outer values it reads, and records one
 * op whose backward runs it again (Chen et al. 2016, arXiv 1604.06174).
 */
export function recordCheckpoint(
  tape: Replayable,
  inputs: readonly ValueNode[],
  run: (...inputs: Value[]) => Value,
): Value {
  if (tape.mode !== "on") return tape.tidy(() => run(...inputs));
  const captured = new Set<ValueNode>();
  const firstInside = tape.node("constant", "checkpoint", tape.scalar(1), false).id;
  const outerRead = tape.onRead;
  const narrow = inputs.filter(({ hasWide }) => !hasWide);
  // Held from the first read on: `run` may release what it reads.
  for (const input of inputs) input.hold();
  tape.onRead = (node) => {
    if ((node.kind === "parameter" || node.id < firstInside) && !inputs.includes(node) && !captured.has(node)) {
      captured.add(node);
      node.hold();
    }
    outerRead?.(node);
  };
  try {
    const output = tape.withMode("dry", () => tape.tidy(() => run(...inputs)));
    if (output.needsGradient && (output as ValueNode).id > firstInside)
      recordReplay(tape, inputs, [...captured], run, output as ValueNode);
    return output;
  } finally {
    tape.onRead = outerRead;
    // Nothing was saved that would read it before the run is made again.
    for (const input of narrow) input.forgetWide();
    for (const node of [...inputs, ...captured]) node.drop();
  }
}

function recordReplay(
  tape: Replayable,
  inputs: readonly ValueNode[],
  captured: readonly ValueNode[],
  run: (...inputs: Value[]) => Value,
  output: ValueNode,
): void {
  const outer = [...inputs, ...captured];
  // A fresh record on a value that exists already: nothing else has recorded it, as the run was dry.
  const record = new OpRecord("checkpoint", outer);
  for (const node of outer) record.save(node);
  record.takesNarrow = true;
  record.backward = (gradient, wants) => replay(tape, inputs, captured, run, gradient, wants);
  record.attach(output);
  tape.records.push(record);
}

/**
 * Runs the checkpointed stretch again, recorded, on copies of its inputs, and returns the gradients of inputs and
 * captured values.
 */
function replay(
  tape: Replayable,
  inputs: readonly ValueNode[],
  captured: readonly ValueNode[],
  run: (...inputs: Value[]) => Value,
  gradient: Tensor,
  wants: readonly boolean[],
): (Tensor | null)[] {
  const outerRecords = tape.records;
  const outerMode = tape.mode;
  tape.records = [];
  tape.mode = "on";
  const copies = inputs.map((input) => tape.node("constant", input.madeBy, input.held, input.needsGradient));
  const results: (Tensor | null)[] = [];
  try {
    tape.tidy(() => {
      const output = run(...copies) as ValueNode;
      const wanted = [...copies, ...captured].filter((_, index) => wants[index] === true);
      const found = runBackward(tape.records, output, gradient, wanted);
      let next = 0;
      for (const want of wants) results.push(want ? (found[next++] ?? null) : null);
      return [];
    });
  } finally {
    for (const record of tape.records) record.release();
    for (const copy of copies) copy.forgetWide();
    tape.records = outerRecords;
    tape.mode = outerMode;
  }
  return results;
}
