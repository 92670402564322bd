import { tensor, type Tensor } from "@tensorflow/tfjs-core";
import type { Feature } from "./feature.js";

/** `[items, ...]` float32 on the device, which the caller owns; undefined where the items' features differ in shape. */
export function joinFeatures(features: readonly Feature[]): Tensor | undefined {
  const { shape, values: first } = features[0]!;
  if (features.some((feature) => feature.shape.join() !== shape.join())) return undefined;
  const values = new Float32Array(features.length * first.length);
  features.forEach((feature, index) => values.set(feature.values, index * first.length));
  return tensor(values, [features.length, ...shape], "float32");
}

/** A segment's output `[items, ...]` item by item, on the host; frees the tensor. */
export async function splitOutput(output: Tensor): Promise<Feature[]> {
  try {
    const values = await output.data<"float32">();
    const [count = 0, ...shape] = output.shape;
    const size = values.length / count;
    return Array.from({ length: count }, (_, index) => ({
      shape,
      values: values.slice(index * size, (index + 1) * size),
    }));
  } finally {
    output.dispose();
  }
}
