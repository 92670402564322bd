import { dotProductCode } from "./dot-product-code.js";
import { type ElementwiseName, ELEMENTWISE_NAMES, elementwiseCode } from "./elementwise-code.js";
import { tileProductCode } from "./tile-product-code.js";

/** The part of the WebAssembly API in use; neither ES2023 nor Node's types declare it. */
declare const WebAssembly: {
  readonly Memory: new () => { readonly buffer: ArrayBufferLike };
  readonly Module: new (code: Uint8Array<ArrayBuffer>) => object;
  readonly Instance: new (
    module: object,
    imports: Readonly<Record<string, Readonly<Record<string, unknown>>>>,
  ) => { readonly exports: Readonly<Record<string, unknown>> };
};

/** A memory of WebAssembly; structured clones of a shared one are the same memory. */
export interface Memory {
  readonly buffer: ArrayBufferLike;
}

/** Products by tiles of four rows by eight columns, by dot products of rows for few rows, and what goes by elements. */
export type FunctionName = "tiles" | "dots" | ElementwiseName;
/** Compiled, to be instantiated in any thread. */
export type Modules = Readonly<Record<FunctionName, object>>;
/** All take addresses first, then sizes and steps; see their code's comments. */
export type Functions = Readonly<Record<FunctionName, (...parameters: number[]) => void>>;

/** A work in pieces; the bits of what they compute do not depend on the cut. */
export interface Cut {
  readonly total: number;
  /** Computes one piece; `thread` says which part of space for each thread is its own. */
  compute(functions: Functions, piece: number, thread: number): void;
}

/** Whether a value is a memory, of this realm or another. */
export function isMemory(value: unknown): value is Memory {
  return value instanceof WebAssembly.Memory;
}

/**
 * The code for a memory; null where the host has no SIMD. Fused multiply-add is twice as fast; Node 20 does not know it
 * yet.
 */
export function compileFunctions(shared: boolean): Modules | null {
  for (const fused of [true, false]) {
    const mode = { fused, shared };
    try {
      return {
        tiles: new WebAssembly.Module(tileProductCode(mode)),
        dots: new WebAssembly.Module(dotProductCode(mode)),
        ...(Object.fromEntries(
          ELEMENTWISE_NAMES.map((name) => [name, new WebAssembly.Module(elementwiseCode(name, mode))]),
        ) as Record<ElementwiseName, object>),
      };
    } catch {
      continue;
    }
  }
  return null;
}

/** The functions on a memory, in the thread that calls. */
export function instantiateFunctions(modules: Modules, memory: Memory): Functions {
  return Object.fromEntries(
    Object.entries(modules).map(([name, module]) => [
      name,
      new WebAssembly.Instance(module, { env: { memory } }).exports["run"],
    ]),
  ) as Functions;
}
