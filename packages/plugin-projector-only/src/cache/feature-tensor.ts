import type { Rows } from "@thaw/core";
import type { Feature } from "./feature.js";

/** A segment's rows item by item, on the host; frees the tensor. */
export async function splitRows({ tensor: rows, offsets }: Rows): Promise<Feature[]> {
  try {
    const values = await rows.data<"float32">();
    const width = rows.shape[1]!;
    return Array.from({ length: offsets.length - 1 }, (_, index) => {
      const [first, end] = [offsets[index]!, offsets[index + 1]!];
      return { shape: [end - first, width], values: values.slice(first * width, end * width) };
    });
  } finally {
    rows.dispose();
  }
}
