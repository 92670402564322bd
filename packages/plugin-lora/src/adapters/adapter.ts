import type { ParameterInfo } from "@thaw/core";

/**
 * The adapter of one linear layer: `y = x W^T + bias + scaling * (x A^T) B^T`, `A [rank, in]`, `B [out, rank]`,
 * float32.
 */
export interface Adapter {
  /** The layer as the checkpoint names it, without `.weight`. */
  readonly module: string;
  readonly component: string;
  readonly rank: number;
  readonly alpha: number;
  readonly rslora: boolean;
  readonly scaling: number;
  /** Of the layer's input, while the adapter trains. */
  readonly dropout: number;
  readonly inputs: number;
  readonly outputs: number;
}

/** `alpha / rank`, or `alpha / sqrt(rank)` for rank-stabilised LoRA. */
export function scalingOf({ rank, alpha, rslora }: Pick<Adapter, "rank" | "alpha" | "rslora">): number {
  return alpha / (rslora ? Math.sqrt(rank) : rank);
}

/** Checkpoint names of an adapter's two matrices. */
export function matrixNames(module: string): { readonly a: string; readonly b: string } {
  return { a: `${module}.lora_A.weight`, b: `${module}.lora_B.weight` };
}

/** The adapter beside the layer of a weight. */
export function adapterOf(parameter: string, adapters: ReadonlyMap<string, Adapter>): Adapter | undefined {
  return parameter.endsWith(".weight") ? adapters.get(parameter.slice(0, -".weight".length)) : undefined;
}

/**
 * The two parameters of an adapter. First values as in PEFT: A uniform in `[-1/sqrt(in), 1/sqrt(in)]` (Kaiming with a =
 * sqrt(5), `torch.nn.init.kaiming_uniform_`), B zero, so that the layer starts as it was.
 */
export function adapterParameters({ module, component, rank, inputs, outputs }: Adapter): readonly ParameterInfo[] {
  const { a, b } = matrixNames(module);
  return [
    {
      name: a,
      shape: [rank, inputs],
      dtype: "F32",
      component,
      initialize: (_, random) => uniform(rank * inputs, 1 / Math.sqrt(inputs), random),
    },
    { name: b, shape: [outputs, rank], dtype: "F32", component, initialize: () => new Float32Array(outputs * rank) },
  ];
}

function uniform(count: number, bound: number, random: () => number): Float32Array {
  return Float32Array.from({ length: count }, () => bound * (2 * random() - 1));
}
