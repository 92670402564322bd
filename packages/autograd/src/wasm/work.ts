import { ELEMENTWISE_NAMES } from "./elementwise-code.js";
import { cutElementwise } from "./elementwise-work.js";
import type { Cut, FunctionName } from "./functions.js";
import { cutProduct } from "./product-work.js";

/** Functions in the order in which threads name them by number. */
export const FUNCTION_NAMES: readonly FunctionName[] = ["tiles", "dots", ...ELEMENTWISE_NAMES];
/** As many numbers as any work has. */
export const MOST_NUMBERS = 12;

/** What a team computes: a function, and the numbers that its kind of work hands over in its own order. */
export interface Work {
  readonly name: FunctionName;
  readonly numbers: readonly number[];
}

/** Cuts a work into pieces, about `most` at the most. */
export function cut({ name, numbers }: Work, most: number): Cut {
  return name === "tiles" || name === "dots" ? cutProduct(name, numbers, most) : cutElementwise(name, numbers, most);
}
