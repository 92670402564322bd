import { expect } from "vitest";
import type { MatmulStrategy } from "../src/index.js";
import { type Case, evaluate, type Input, randomInput, relativeError } from "./numeric.js";

/** What a case is compared with. */
export interface SameOptions {
  /** Another way to the same output and gradients. */
  readonly as: Case;
  /** Of the inputs, which ask for a gradient. */
  readonly needs: readonly boolean[];
  /** Numbers of the output. */
  readonly size: number;
  /** How both multiply; `flags` without it. */
  readonly matmul?: MatmulStrategy;
  /** Before the case alone; gives what undoes it. */
  readonly prepare?: (() => () => void) | undefined;
}

/** Expects the same output and gradients of both, and none where none is asked for. */
export function expectSame(
  run: Case,
  inputs: readonly Input[],
  { as, needs, size, matmul = "flags", prepare }: SameOptions,
): void {
  const direction = randomInput([size], 9).values;
  const wanted = evaluate(as, inputs, needs, direction, matmul);
  const undo = prepare?.();
  try {
    const got = evaluate(run, inputs, needs, direction, matmul);
    expect(relativeError(got.output, wanted.output)).toBeLessThan(2e-5);
    wanted.gradients.forEach((gradient, index) => {
      if (gradient === null) expect(got.gradients[index]).toBeNull();
      else expect(relativeError(got.gradients[index]!, gradient)).toBeLessThan(5e-5);
    });
  } finally {
    undo?.();
  }
}
