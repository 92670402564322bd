import { elementwisePieces, computeElementwise } from "./elementwise-work.js";
import type { FunctionName, Functions } from "./functions.js";
import { computeProduct, productPieces } from "./product-work.js";

/** Functions in the order in which threads name them by number. */
export const FUNCTION_NAMES: readonly FunctionName[] = ["tiles", "dots", "Add", "Sub", "Multiply"];
/** As many numbers as any work has. */
export const MOST_NUMBERS = 12;

/** What a team computes: a function, and the numbers that its kind of work hands over in its own order. */
export interface Work {
  readonly name: FunctionName;
  readonly numbers: readonly number[];
}

/** Into how many pieces, at most `most`, a work is cut; a piece's bits do not depend on the cut. */
export function piecesOf({ name, numbers }: Work, most: number): number {
  return name === "tiles" || name === "dots"
    ? productPieces(numbers, most).total
    : elementwisePieces(numbers, most).total;
}

/** Computes one piece; `thread` says which part of space for each thread is its own. */
export function computePiece(functions: Functions, work: Work, most: number, piece: number, thread: number): void {
  const { name, numbers } = work;
  if (name === "tiles" || name === "dots")
    computeProduct(functions, name, numbers, productPieces(numbers, most), piece, thread);
  else computeElementwise(functions, name, numbers, elementwisePieces(numbers, most), piece);
}
