import {
  add,
  mul,
  multiHeadAttention,
  release,
  rotaryHeads,
  slice,
  type AttentionSpans,
  type Value,
} from "@thaw/autograd";
import type { Scope } from "@thaw/contracts";
import { linearSpecs } from "../blocks/specs.js";
import type { ParameterSpec } from "../contract/family.js";
import type { RotaryLines } from "../decoders/layer-kind.js";
import { normed, normedHeads, normSpecs, type NormOptions } from "../layers/norms.js";
import type { RowBlock } from "../layers/parts.js";

/** What a layer of an encoder needs beside its input. */
export interface EncoderPass {
  /** Which rows see one another: an image, a tile, a window. */
  readonly spans: AttentionSpans;
  /** A line per row, `[rows, head size]` each. Absent: positions turn nothing. */
  readonly rotary?: Omit<RotaryLines, "queries">;
}

/** One layer of an encoder. */
export interface EncoderLayer {
  /** All that decides what it computes, besides parameters and inputs, as text. */
  readonly formula: string;
  /** Parameters of the layer with that name. */
  specs(name: string): readonly ParameterSpec[];
  /** `[rows, hidden]` to the same. */
  run(name: string, x: Value, pass: EncoderPass, scope: Scope): Value;
}

/** A pre-norm layer: attention, then an MLP, each added to what it reads. */
export interface EncoderLayerOptions {
  readonly hiddenSize: number;
  readonly headCount: number;
  /** Default: `hiddenSize / headCount`. */
  readonly headSize?: number;
  readonly norm: NormOptions;
  /** What treats every row by itself. */
  readonly block: RowBlock;
  /** Which projections have a bias. Default: all. */
  readonly biases?: boolean | Partial<Record<"queries" | "keys" | "values" | "output", boolean>>;
  /** Queries, keys and values are one linear layer, named `qkv` or as this says. */
  readonly fused?: boolean | string;
  /** Norms on queries and keys before they turn: over every head by itself, or over all heads at once. */
  readonly headNorm?: { readonly norm: NormOptions; readonly over: "head" | "whole" };
  /** Factor on scores. Default: `1 / sqrt(headSize)`. */
  readonly scale?: number;
  /**
   * Names of the vectors that what attention and MLP give is multiplied with, and their values in a new model. Absent:
   * there are none.
   */
  readonly layerScales?: { readonly names: readonly [attention: string, block: string]; readonly start: number };
  /** Names of its parts. Default: those of CLIP and SigLIP. */
  readonly names?: Partial<typeof NAMES>;
}

const NAMES = {
  attention: "self_attn",
  queries: "q_proj",
  keys: "k_proj",
  values: "v_proj",
  output: "out_proj",
  queryNorm: "q_norm",
  keyNorm: "k_norm",
  firstNorm: "layer_norm1",
  secondNorm: "layer_norm2",
};
const PROJECTIONS = ["queries", "keys", "values"] as const;

/** A pre-norm transformer layer (Dosovitskiy et al., arXiv:2010.11929), whose rows see both ways. */
export function encoderLayer(options: EncoderLayerOptions): EncoderLayer {
  const { hiddenSize, headCount, headSize = hiddenSize / headCount, norm, block, headNorm, layerScales } = options;
  const { biases = true, fused = false, scale = headSize ** -0.5 } = options;
  const names = { ...NAMES, ...options.names };
  const width = headCount * headSize;
  const hasBias = (part: "queries" | "keys" | "values" | "output"): boolean =>
    typeof biases === "boolean" ? biases : (biases[part] ?? true);
  const fusedName = fused === false ? undefined : fused === true ? "qkv" : fused;
  const scaled = (x: Value, name: string, which: 0 | 1, scope: Scope): Value =>
    layerScales === undefined ? x : mul(x, scope.parameter(`${name}.${layerScales.names[which]}`));
  return {
    formula: `encoder layer ${JSON.stringify({ ...options, block: block.formula })}`,
    specs(name) {
      const part = (of: string): string => `${name}.${names.attention}.${of}`;
      const headNorms = (of: string): readonly ParameterSpec[] =>
        headNorm === undefined ? [] : normSpecs(part(of), headNorm.over === "head" ? headSize : width, headNorm.norm);
      return [
        ...normSpecs(`${name}.${names.firstNorm}`, hiddenSize, norm),
        ...(fusedName === undefined
          ? PROJECTIONS.flatMap((of) => linearSpecs(part(names[of]), hiddenSize, width, hasBias(of)))
          : linearSpecs(part(fusedName), hiddenSize, 3 * width, hasBias("queries"))),
        ...headNorms(names.queryNorm),
        ...headNorms(names.keyNorm),
        ...linearSpecs(part(names.output), width, hiddenSize, hasBias("output"), "residual"),
        ...normSpecs(`${name}.${names.secondNorm}`, hiddenSize, norm),
        ...block.specs(name),
        ...(layerScales?.names ?? []).map((of): ParameterSpec => ({
          name: `${name}.${of}`,
          shape: [hiddenSize],
          role: () => new Float32Array(hiddenSize).fill(layerScales!.start),
        })),
      ];
    },
    run(name, x, { spans, rotary }, scope) {
      const part = (of: string): string => `${name}.${names.attention}.${of}`;
      const h = normed(x, `${name}.${names.firstNorm}`, norm, scope);
      const [plainQueries, plainKeys, values] =
        fusedName === undefined
          ? PROJECTIONS.map((of) => scope.linear(h, part(names[of])))
          : thirds(scope.linear(h, part(fusedName)), width);
      const turned = (heads: Value, normName: string): Value => {
        const even = normHeads(heads, part(normName), headSize, headNorm, scope);
        return rotary === undefined ? even : rotaryHeads(even, headCount, rotary.cos, rotary.sin);
      };
      const [queries, keys] = [turned(plainQueries!, names.queryNorm), turned(plainKeys!, names.keyNorm)];
      const mixed = multiHeadAttention(queries, keys, values!, { headCount, scale, spans });
      release(h, queries, keys, values!);
      const attended = add(x, scaled(scope.linear(mixed, part(names.output)), name, 0, scope));
      release(mixed);
      const inner = block.run(name, normed(attended, `${name}.${names.secondNorm}`, norm, scope), scope);
      return add(attended, scaled(inner, name, 1, scope));
    },
  };
}

/** Queries, keys and values `[rows, width]` that lie side by side. */
function thirds(whole: Value, width: number): readonly Value[] {
  return [0, 1, 2].map((third) => slice(whole, [0, third * width], [whole.shape[0]!, width]));
}

function normHeads(
  heads: Value,
  name: string,
  headSize: number,
  headNorm: EncoderLayerOptions["headNorm"],
  scope: Scope,
): Value {
  if (headNorm === undefined) return heads;
  return headNorm.over === "whole"
    ? normed(heads, name, headNorm.norm, scope)
    : normedHeads(heads, headSize, name, headNorm.norm, scope);
}
