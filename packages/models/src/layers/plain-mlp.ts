import { release } from "@thaw/autograd";
import { activate, type ActivationName } from "../blocks/activations.js";
import { linearSpecs } from "../blocks/specs.js";
import type { RowBlock } from "./parts.js";

/** An MLP of two linear layers. */
export interface PlainMlpOptions {
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  readonly activation: ActivationName;
  /** Default: true. */
  readonly hasBias?: boolean;
  /** Names of its parts. Default: `mlp` with `fc1` and `fc2`; an empty `whole` leaves that level out. */
  readonly names?: Partial<typeof NAMES>;
}

const NAMES = { whole: "mlp", up: "fc1", down: "fc2" };

/** `down(activation(up(x)))`. */
export function plainMlp(options: PlainMlpOptions): RowBlock {
  const { hiddenSize, intermediateSize, activation, hasBias = true } = options;
  const { whole, up, down } = { ...NAMES, ...options.names };
  const name = (layer: string, part: string): string => [layer, whole, part].filter(Boolean).join(".");
  return {
    formula: `plain mlp ${JSON.stringify(options)}`,
    specs: (layer) => [
      ...linearSpecs(name(layer, up), hiddenSize, intermediateSize, hasBias),
      ...linearSpecs(name(layer, down), intermediateSize, hiddenSize, hasBias, "residual"),
    ],
    run(layer, x, scope) {
      const wide = scope.linear(x, name(layer, up));
      release(x);
      const inner = activate(activation, wide);
      release(wide);
      return scope.linear(inner, name(layer, down));
    },
  };
}
