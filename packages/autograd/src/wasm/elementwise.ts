import * as tf from "@tensorflow/tfjs-core";
import type { TensorInfo } from "@tensorflow/tfjs-core";
import { sizeOf } from "../kernels/broadcast.js";
import { addressOf, teamOf, type WasmBackend } from "./backend-team.js";
import { ELEMENTWISE_NAMES, type ElementwiseName } from "./elementwise-code.js";
import { type Elementwise, elementwiseNumbers } from "./elementwise-work.js";

/** From so many numbers on several threads are quicker than TensorFlow.js' kernel. */
const TEAM_FROM = 1 << 17;

interface Call {
  readonly inputs: { readonly a: TensorInfo; readonly b: TensorInfo };
  readonly backend: WasmBackend;
}

/**
 * Lets all threads of the team add, subtract and multiply float32 tensors on WASM, where they are large and the second
 * operand is as large, or repeats rows, or is one number per row; TensorFlow.js' kernels do the rest. The numbers are
 * the same to the bit.
 */
export function useTeamByElements(): void {
  for (const name of ELEMENTWISE_NAMES) {
    const own = tf.getKernel(name, "wasm");
    const kernelFunc = (call: Call): TensorInfo | TensorInfo[] =>
      byTeam(name, call) ?? own.kernelFunc(call as unknown as Parameters<tf.KernelFunc>[0]);
    tf.unregisterKernel(name, "wasm");
    tf.registerKernel({ ...own, kernelFunc: kernelFunc as unknown as tf.KernelFunc });
  }
}

function byTeam(name: ElementwiseName, { inputs, backend }: Call): TensorInfo | undefined {
  const { a, b } = inputs;
  if (a.dtype !== "float32" || b.dtype !== "float32") return undefined;
  const [first, second] = name !== "Sub" && sizeOf(a.shape) < sizeOf(b.shape) ? [b, a] : [a, b];
  const steps = sizeOf(first.shape) < TEAM_FROM ? undefined : stepsOf(first.shape, second.shape);
  const team = steps === undefined ? null : teamOf(backend);
  if (steps === undefined || team === null) return undefined;
  const output = backend.makeOutput([...first.shape], "float32");
  const [from, other, to] = [first, second, output].map((tensor) => addressOf(backend, tensor)) as [
    number,
    number,
    number,
  ];
  team.compute({ name, numbers: elementwiseNumbers({ a: from, b: other, out: to, ...steps }) });
  return output;
}

/** How `b` is walked beside `a`; undefined where it takes more than one step per row and number, or widens `a`. */
export function stepsOf(
  a: readonly number[],
  b: readonly number[],
): Pick<Elementwise, "rows" | "length" | "bRow" | "isSingle"> | undefined {
  if (b.length > a.length) return undefined;
  const lengths = [...Array<number>(a.length - b.length).fill(1), ...b];
  if (lengths.some((length, axis) => length !== 1 && length !== a[axis])) return undefined;
  const size = sizeOf(a);
  if (sizeOf(b) === size) return { rows: 1, length: size, bRow: 0, isSingle: 0 };
  if (sizeOf(b) === 1) return { rows: 1, length: size, bRow: 0, isSingle: 1 };
  // Leading axes over which `b` repeats, or trailing ones
  const from = lengths.findIndex((length, axis) => length !== 1 && a[axis] !== 1);
  const start = from === -1 ? a.length : from;
  const repeats = lengths.findLastIndex((length, axis) => length !== 1 && a[axis] !== 1) + 1;
  const [leading, trailing] = [a.slice(0, start), a.slice(repeats)];
  if (sizeOf(b) === sizeOf(a.slice(start))) return { rows: sizeOf(leading), length: sizeOf(b), bRow: 0, isSingle: 0 };
  if (sizeOf(b) === sizeOf(a.slice(0, repeats)))
    return { rows: sizeOf(b), length: sizeOf(trailing), bRow: 4, isSingle: 1 };
  return undefined;
}
