import { geglu, mul, release, slice, swiglu, type Value } from "@thaw/autograd";
import { activate, type ActivationName } from "../blocks/activations.js";
import type { RowBlock } from "./parts.js";
import { projectionOf, type ProjectionKind } from "./projection.js";

/** A gated MLP. */
export interface GatedMlpOptions {
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  readonly activation: ActivationName;
  readonly hasBias?: boolean;
  /** Gate and up are one linear layer of that name, the gate first (GLM). */
  readonly fused?: string;
  /** Default: `plain`. */
  readonly projections?: ProjectionKind;
  /** Names of its parts. Default: `mlp` with `gate_proj`, `up_proj` and `down_proj`. */
  readonly names?: Partial<typeof NAMES>;
}

const NAMES = { whole: "mlp", gate: "gate_proj", up: "up_proj", down: "down_proj" };

/** `down(activation(gate(x)) * up(x))` (Shazeer, arXiv:2002.05202). */
export function gatedMlp(options: GatedMlpOptions): RowBlock {
  const { hiddenSize, intermediateSize, hasBias = false, fused } = options;
  const names = { ...NAMES, ...options.names };
  const linear = projectionOf(options.projections ?? "plain");
  return {
    formula: `gated mlp ${JSON.stringify(options)}`,
    specs: (layer) => [
      ...(fused === undefined
        ? [names.gate, names.up].flatMap((part) =>
            linear.specs(`${layer}.${names.whole}.${part}`, hiddenSize, intermediateSize, hasBias),
          )
        : linear.specs(`${layer}.${names.whole}.${fused}`, hiddenSize, 2 * intermediateSize, hasBias)),
      ...linear.specs(`${layer}.${names.whole}.${names.down}`, intermediateSize, hiddenSize, hasBias, "residual"),
    ],
    run(layer, x, scope) {
      const name = (part: string): string => `${layer}.${names.whole}.${part}`;
      const [opening, up] =
        fused === undefined
          ? ([linear.run(x, name(names.gate), scope), linear.run(x, name(names.up), scope)] as const)
          : halves(linear.run(x, name(fused), scope), intermediateSize);
      release(x);
      const gated = gate(options.activation, opening, up);
      release(opening, up);
      return linear.run(gated, name(names.down), scope);
    },
  };
}

/** Gate and up `[rows, width]` that lie side by side. */
function halves(whole: Value, width: number): readonly [Value, Value] {
  const half = (from: number): Value => slice(whole, [0, from], [whole.shape[0]!, width]);
  return [half(0), half(width)];
}

function gate(activation: ActivationName, gated: Value, up: Value): Value {
  if (activation === "silu" || activation === "swish") return swiglu(gated, up);
  if (activation === "gelu_pytorch_tanh") return geglu(gated, up);
  return mul(activate(activation, gated), up);
}
