import type { Tensor } from "@tensorflow/tfjs-core";
import type { Histogram } from "./tracker.js";

/** Ranges of a histogram: as many as PyTorch's `SummaryWriter` and wandb make. */
const BIN_COUNT = 64;

/** Counts finite values, each multiplied by `factor`, in ranges of the same width from the least to the greatest. */
export function histogramOf(values: ArrayLike<number>, factor = 1): Histogram {
  let [min, max, count, sum, sumOfSquares] = [Infinity, -Infinity, 0, 0, 0];
  for (let index = 0; index < values.length; index++) {
    const value = values[index]! * factor;
    if (!Number.isFinite(value)) continue;
    count += 1;
    sum += value;
    sumOfSquares += value * value;
    if (value < min) min = value;
    if (value > max) max = value;
  }
  if (count === 0) return { min: 0, max: 0, count, sum, sumOfSquares, edges: [0, 0], counts: [0] };
  if (min === max) return { min, max, count, sum, sumOfSquares, edges: [min, max], counts: [count] };
  const width = (max - min) / BIN_COUNT;
  const counts = Array<number>(BIN_COUNT).fill(0);
  for (let index = 0; index < values.length; index++) {
    const value = values[index]! * factor;
    if (Number.isFinite(value)) counts[Math.min(BIN_COUNT - 1, Math.floor((value - min) / width))]! += 1;
  }
  const edges = counts.map((_, index) => min + index * width);
  return { min, max, count, sum, sumOfSquares, edges: [...edges, max], counts };
}

/** A histogram of each tensor, read one after the other; borrows them. */
export async function histogramsOf(
  tensors: Iterable<readonly [name: string, tensor: Tensor]>,
  factor = 1,
): Promise<Readonly<Record<string, Histogram>>> {
  const found: Record<string, Histogram> = {};
  for (const [name, tensor] of tensors) found[name] = histogramOf(await tensor.data<"float32">(), factor);
  return found;
}
