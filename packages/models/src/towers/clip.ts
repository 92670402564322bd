import {
  add,
  AttentionSpans,
  concat,
  layerNorm,
  matmul,
  multiHeadAttention,
  release,
  reshape,
  slice,
  transpose,
  type Value,
} from "@thaw/autograd";
import type { LoadedBatch, Scope } from "@thaw/contracts";
import { fill, type Tensor } from "@tensorflow/tfjs-core";
import { activate } from "../blocks/activations.js";
import type { ClipConfig } from "./clip-config.js";
import { inputMissing, inputShape } from "../errors.js";
import type { ParameterSpec } from "../contract/family.js";
import type { Tower, TowerPlace } from "../contract/parts.js";
import { layerNormSpecs, linearSpecs, namesOf } from "../blocks/specs.js";
import { PIXEL_VALUES } from "./inputs.js";

/** What a model takes from a CLIP tower. */
export interface ClipUse {
  /** Prefix of the checkpoint's names: `vision_tower.vision_model`. */
  readonly prefix: string;
  /**
   * Hidden states, from 0 (the embeddings after the first norm) to the number of layers; joined along the last axis.
   */
  readonly featureStates: readonly number[];
  readonly keepClassToken: boolean;
}

/**
 * The vision tower of CLIP (Radford et al., arXiv:2103.00020) as transformers 5.23 has it in `modeling_clip.py`:
 * patches, class token, learned positions, `pre_layrnorm` (spelt so), pre-norm layers. Patches come cut, one per row,
 * and are multiplied, without a convolution.
 */
export function clipTower(config: ClipConfig, use: ClipUse, { component, modality }: TowerPlace): Tower {
  const { channelCount, patchSize } = config;
  const grid = Math.floor(config.imageSize / patchSize);
  const patchCount = grid * grid;
  const usedLayers = Math.max(...use.featureStates);
  const embeddingParameters = embeddingSpecs(config, use.prefix, patchCount);
  const layers = Array.from({ length: config.layerCount }, (_, index) => layerSpecs(config, layerName(use, index)));
  const post = layerNormSpecs(`${use.prefix}.post_layernorm`, config.hiddenSize);
  const live = layers.slice(0, usedLayers);
  const embeddings = `${component}.embeddings`;
  const formula = `clip layer ${JSON.stringify(config)}`;
  const layerSegment = (index: number): string => `${component}.layers.${index}`;
  return {
    parameters: [...embeddingParameters, ...layers.flat(), ...post],
    segments: [
      {
        name: component,
        after: [],
        reads: [PIXEL_VALUES],
        modality,
        outputRows: () => patchCount + (use.keepClassToken ? 1 : 0),
        parameters: namesOf([...embeddingParameters, ...live.flat()]),
        signature: signatureOf(config, use),
      },
      {
        name: embeddings,
        after: [],
        reads: [PIXEL_VALUES],
        modality,
        outputRows: () => patchCount + 1,
        parameters: namesOf(embeddingParameters),
      },
      ...live.map((specs, index) => ({
        name: layerSegment(index),
        after: [index === 0 ? embeddings : layerSegment(index - 1)],
        reads: [],
        parameters: namesOf(specs),
      })),
    ],
    deadParameters: namesOf([...layers.slice(usedLayers).flat(), ...post]),
    outputSize: config.hiddenSize * use.featureStates.length,
    run: (batch, scope, items) =>
      scope.segment(component, [], () => {
        const images = items.length;
        let x = scope.segment(embeddings, [], () => {
          const patches = checkPatches(batch, component, images, patchCount, channelCount * patchSize ** 2);
          return embed(config, use.prefix, patches, images, scope);
        });
        const spans = AttentionSpans.even(images, patchCount + 1, false);
        const states = new Map([[0, x]]);
        for (let index = 0; index < usedLayers; index++) {
          const compute = (within: Scope, input: Value): Value =>
            layer(config, layerName(use, index), input, spans, within);
          const next = scope.segment(
            layerSegment(index),
            [x],
            (input) =>
              scope.stretch?.(`${formula}#${spans.key}`, [input], namesOf(live[index]!), (within, rows) =>
                compute(within, rows!),
              ) ?? compute(scope, input),
          );
          if (!use.featureStates.includes(index)) release(x);
          x = next;
          if (use.featureStates.includes(index + 1)) states.set(index + 1, x);
        }
        return select(
          use,
          use.featureStates.map((state) => states.get(state)!),
          images,
        );
      }),
  };
}

/** What decides the features besides weights and pixels. */
function signatureOf(
  { headCount, epsilon, activation, patchSize }: ClipConfig,
  { featureStates, keepClassToken }: ClipUse,
): string {
  return JSON.stringify({ tower: "clip", headCount, epsilon, activation, patchSize, featureStates, keepClassToken });
}

const layerName = (use: ClipUse, index: number): string => `${use.prefix}.encoder.layers.${index}`;

function embeddingSpecs(config: ClipConfig, prefix: string, patchCount: number): readonly ParameterSpec[] {
  const { hiddenSize, channelCount, patchSize } = config;
  const name = `${prefix}.embeddings`;
  return [
    { name: `${name}.class_embedding`, shape: [hiddenSize], role: "embedding" },
    {
      name: `${name}.patch_embedding.weight`,
      shape: [hiddenSize, channelCount, patchSize, patchSize],
      role: "linear",
      fanIn: channelCount * patchSize ** 2,
    },
    { name: `${name}.position_embedding.weight`, shape: [patchCount + 1, hiddenSize], role: "embedding" },
    ...layerNormSpecs(`${prefix}.pre_layrnorm`, hiddenSize),
  ];
}

function layerSpecs({ hiddenSize, intermediateSize }: ClipConfig, name: string): readonly ParameterSpec[] {
  return [
    ...["q_proj", "k_proj", "v_proj"].flatMap((part) =>
      linearSpecs(`${name}.self_attn.${part}`, hiddenSize, hiddenSize, true),
    ),
    ...linearSpecs(`${name}.self_attn.out_proj`, hiddenSize, hiddenSize, true, "residual"),
    ...layerNormSpecs(`${name}.layer_norm1`, hiddenSize),
    ...linearSpecs(`${name}.mlp.fc1`, hiddenSize, intermediateSize, true),
    ...linearSpecs(`${name}.mlp.fc2`, intermediateSize, hiddenSize, true, "residual"),
    ...layerNormSpecs(`${name}.layer_norm2`, hiddenSize),
  ];
}

/** `[images * patches, width]` to `[images * tokens, hidden]`: rows stay flat between here and the features. */
function embed(config: ClipConfig, prefix: string, given: Tensor, images: number, scope: Scope): Value {
  const { hiddenSize } = config;
  const [rows, width] = given.shape as [number, number];
  const patchCount = rows / images;
  const patches = scope.constant(given);
  const kernel = reshape(scope.parameter(`${prefix}.embeddings.patch_embedding.weight`), [hiddenSize, width]);
  const embedded = reshape(matmul(patches, transpose(kernel, [1, 0])), [images, patchCount, hiddenSize]);
  const classToken = reshape(scope.parameter(`${prefix}.embeddings.class_embedding`), [1, 1, hiddenSize]);
  const classTokens = add(scope.own(fill([images, 1, hiddenSize], 0)), classToken);
  const x = add(concat([classTokens, embedded], 1), scope.parameter(`${prefix}.embeddings.position_embedding.weight`));
  return norm(reshape(x, [images * (patchCount + 1), hiddenSize]), `${prefix}.pre_layrnorm`, scope, config.epsilon);
}

/** The patches of all images, if each has as many as this tower has positions. */
function checkPatches(batch: LoadedBatch, segment: string, images: number, patchCount: number, width: number): Tensor {
  const patches = batch.inputs[PIXEL_VALUES];
  if (patches === undefined) throw inputMissing(PIXEL_VALUES, segment);
  const { tensor, offsets } = patches;
  const isWhole = offsets.length === images + 1 && offsets.every((offset, image) => offset === image * patchCount);
  if (isWhole && tensor.shape.length === 2 && tensor.shape[1] === width) return tensor;
  throw inputShape(PIXEL_VALUES, tensor.shape, `[images * ${patchCount}, ${width}], ${patchCount} patches per image`);
}

function layer(config: ClipConfig, name: string, x: Value, spans: AttentionSpans, scope: Scope): Value {
  const h = norm(x, `${name}.layer_norm1`, scope, config.epsilon);
  const [q, k, v] = (["q_proj", "k_proj", "v_proj"] as const).map((part) =>
    scope.linear(h, `${name}.self_attn.${part}`),
  ) as [Value, Value, Value];
  const mixed = multiHeadAttention(q, k, v, {
    headCount: config.headCount,
    scale: (config.hiddenSize / config.headCount) ** -0.5,
    spans,
  });
  release(h, q, k, v);
  const attended = add(x, scope.linear(mixed, `${name}.self_attn.out_proj`));
  const wide = scope.linear(norm(attended, `${name}.layer_norm2`, scope, config.epsilon), `${name}.mlp.fc1`);
  const inner = activate(config.activation, wide);
  release(mixed, wide);
  return add(attended, scope.linear(inner, `${name}.mlp.fc2`));
}

function norm(x: Value, name: string, scope: Scope, epsilon: number): Value {
  return layerNorm(x, scope.parameter(`${name}.weight`), scope.parameter(`${name}.bias`), epsilon);
}

/** `[images * features, hidden]`. */
function select(use: ClipUse, states: readonly Value[], images: number): Value {
  const joined = states.length === 1 ? states[0]! : concat(states, 1);
  if (use.keepClassToken) return joined;
  const [rows, width] = joined.shape as [number, number];
  const whole = reshape(joined, [images, rows / images, width]);
  return reshape(slice(whole, [0, 1, 0], [images, rows / images - 1, width]), [rows - images, width]);
}
