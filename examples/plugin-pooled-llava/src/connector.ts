import { reshape, scale, sum, type Value } from "@thaw/autograd";
import { type Connector, type ConnectorPlace, linearSpecs, namesOf } from "@thaw/models";

/** Sizes of the projector. */
export interface PooledProjectorOptions {
  /** Name of its linear layer: `multi_modal_projector.linear`. */
  readonly name: string;
  readonly outputSize: number;
  /** Patches a side of what the tower reads; even. */
  readonly side: number;
}

/** Means of 2x2 patches, then one linear layer: `[pictures * side * side, input]` to a quarter of the rows. */
export function pooledProjector(
  { name, outputSize, side }: PooledProjectorOptions,
  { component, after, inputSize }: ConnectorPlace,
): Connector {
  const parameters = linearSpecs(name, inputSize, outputSize, true);
  return {
    parameters,
    segments: [{ name: component, after, reads: [], outputRows: () => side ** 2 / 4, parameters: namesOf(parameters) }],
    outputSize,
    run: (features, scope) => scope.segment(component, [features], (x) => scope.linear(meansOfBlocks(x, side), name)),
  };
}

/** `[pictures * side * side, width]` to `[pictures * side * side / 4, width]`. */
function meansOfBlocks(x: Value, side: number): Value {
  const [rows, width] = x.shape as [number, number];
  const across = sum(reshape(x, [rows / 2, 2, width]), 1);
  const down = sum(reshape(across, [rows / side / 2, 2, (side / 2) * width]), 1);
  return scale(reshape(down, [rows / 4, width]), 1 / 4);
}
