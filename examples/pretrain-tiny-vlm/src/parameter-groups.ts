import * as tf from "@tensorflow/tfjs-core";
import { append, elementCount } from "@thaw/core";

/** Parameters that are updated together as one tensor: few large operations instead of many small ones. */
export interface TensorGroup {
  readonly name: string;
  readonly parameters: readonly {
    readonly name: string;
    readonly shape: readonly number[];
    readonly isTransposed: boolean;
  }[];
  /** `[matrices, rows, columns]` with rows <= columns, or undefined for a flat vector. */
  readonly matrixShape?: readonly [number, number];
}

/** A matrix inside a layer; embeddings, norms, biases and the patch convolution are not. */
export function isLayerMatrix(name: string, shape: readonly number[]): boolean {
  return shape.length === 2 && /\.layers\.\d+\./.test(name);
}

/** Matrices of layers by shape (wide side last), and everything else as one vector. */
export function groupParameters(parameters: ReadonlyMap<string, readonly number[]>): {
  readonly matrices: readonly TensorGroup[];
  readonly rest: TensorGroup;
} {
  const matrices = new Map<string, { name: string; shape: readonly number[]; isTransposed: boolean }[]>();
  const rest: { name: string; shape: readonly number[]; isTransposed: boolean }[] = [];
  for (const [name, shape] of parameters) {
    if (!isLayerMatrix(name, shape)) {
      rest.push({ name, shape, isTransposed: false });
      continue;
    }
    const [rows, columns] = shape as readonly [number, number];
    const isTransposed = rows > columns;
    const key = isTransposed ? `${columns}x${rows}` : `${rows}x${columns}`;
    append(matrices, key, { name, shape, isTransposed });
  }
  return {
    matrices: [...matrices].map(([name, members]) => ({
      name,
      parameters: members,
      matrixShape: name.split("x").map(Number) as unknown as readonly [number, number],
    })),
    rest: { name: "rest", parameters: rest },
  };
}

/** Joins the group's tensors into one: `[matrices, rows, columns]` or `[elements]`. */
export function joinGroup(group: TensorGroup, tensors: ReadonlyMap<string, tf.Tensor>): tf.Tensor {
  const parts = group.parameters.map(({ name, isTransposed }) => {
    const tensor = tensors.get(name) as tf.Tensor;
    return group.matrixShape === undefined
      ? tf.reshape(tensor, [-1])
      : tf.reshape(isTransposed ? tf.transpose(tensor) : tensor, [1, ...group.matrixShape]);
  });
  return parts.length === 1 ? (parts[0] as tf.Tensor) : tf.concat(parts, 0);
}

/** The opposite of `joinGroup`: one tensor per parameter, in the parameter's shape. */
export function splitGroup(group: TensorGroup, joined: tf.Tensor): Map<string, tf.Tensor> {
  const sizes = group.parameters.map(({ shape }) => (group.matrixShape === undefined ? elementCount(shape) : 1));
  const parts = group.parameters.length === 1 ? [joined] : tf.split(joined, sizes, 0);
  return new Map(
    group.parameters.map(({ name, shape, isTransposed }, index) => {
      const part = parts[index] as tf.Tensor;
      return [name, isTransposed ? tf.transpose(tf.reshape(part, [...shape].reverse())) : tf.reshape(part, [...shape])];
    }),
  );
}
