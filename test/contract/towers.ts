import { add, AttentionSpans, multiHeadAttention, reshape, silu, type Value } from "@thaw/autograd";
import { itemsOf, type LoadedBatch, type MediaItem, type Scope, type Segment } from "@thaw/core";
import { linearSpecs, namesOf, type ParameterSpec } from "@thaw/models";

/** Sizes of the model. */
export const SIZES = { patch: 6, vision: 8, frame: 4, audio: 6, hidden: 12, vocabulary: 40 } as const;
export const VISION = "vision_tower";
export const AUDIO = "audio_tower";

/** A tower with its connector: rows of its items' inputs to rows in the embedding space. */
export interface Tower {
  readonly parameters: readonly ParameterSpec[];
  readonly segments: readonly Segment[];
  /** `[rows of all items, hidden]`; undefined where the batch has none of these items. */
  run(batch: LoadedBatch, scope: Scope): Value | undefined;
}

/** Patches of pictures of any size, each attending to its own picture, in two blocks. */
export function visionTower(): Tower {
  const embedding = linearSpecs(`${VISION}.embed`, SIZES.patch, SIZES.vision, true);
  const blocks = [0, 1].map((index) =>
    ["query", "key", "value", "out"].flatMap((part) =>
      linearSpecs(`${VISION}.layers.${index}.${part}`, SIZES.vision, SIZES.vision, part === "out"),
    ),
  );
  const connector = linearSpecs("multi_modal_projector.linear", SIZES.vision, SIZES.hidden, true);
  const whole: Segment = {
    name: VISION,
    after: [],
    reads: ["patches"],
    modality: "image",
    parameters: namesOf([embedding, ...blocks].flat()),
    signature: "contract vision tower",
  };
  return {
    parameters: [embedding, ...blocks, connector].flat(),
    segments: [
      whole,
      { name: `${VISION}.embed`, after: [], reads: ["patches"], modality: "image", parameters: namesOf(embedding) },
      ...blocks.map((specs, index) => ({
        name: `${VISION}.layers.${index}`,
        after: [index === 0 ? `${VISION}.embed` : `${VISION}.layers.${index - 1}`],
        reads: [],
        parameters: namesOf(specs),
      })),
      { name: "multi_modal_projector", after: [VISION], reads: [], parameters: namesOf(connector) },
    ],
    run(batch, scope) {
      if (itemsOf(whole, batch.media).length === 0) return undefined;
      const features = scope.segment(VISION, [], () => {
        const { tensor, offsets } = batch.inputs["patches"]!;
        const spans = AttentionSpans.within(offsets, false);
        let x = scope.segment(`${VISION}.embed`, [], () => scope.linear(scope.constant(tensor), `${VISION}.embed`));
        for (const [index] of blocks.entries())
          x = scope.segment(`${VISION}.layers.${index}`, [x], (input) => {
            const [q, k, v] = ["query", "key", "value"].map((part) =>
              scope.linear(input, `${VISION}.layers.${index}.${part}`),
            ) as [Value, Value, Value];
            const mixed = multiHeadAttention(q, k, v, { headCount: 2, scale: 0.5, spans });
            return add(input, scope.linear(mixed, `${VISION}.layers.${index}.out`));
          });
        return x;
      });
      return scope.segment("multi_modal_projector", [features], (x) => scope.linear(x, "multi_modal_projector.linear"));
    },
  };
}

/** Frames of sounds, two of which make one row. */
export function audioTower(): Tower {
  const parameters = linearSpecs(`${AUDIO}.pair`, 2 * SIZES.frame, SIZES.audio, true);
  const connector = linearSpecs("audio_projector.linear", SIZES.audio, SIZES.hidden, false);
  const whole: Segment = {
    name: AUDIO,
    after: [],
    reads: ["frames"],
    modality: "audio",
    outputRows: (item: MediaItem) => item.inputs["frames"]!.rows / 2,
    parameters: namesOf(parameters),
    signature: "contract audio tower",
  };
  return {
    parameters: [...parameters, ...connector],
    segments: [whole, { name: "audio_projector", after: [AUDIO], reads: [], parameters: namesOf(connector) }],
    run(batch, scope) {
      if (itemsOf(whole, batch.media).length === 0) return undefined;
      const features = scope.segment(AUDIO, [], () => {
        const frames = scope.constant(batch.inputs["frames"]!.tensor);
        const pairs = reshape(frames, [frames.shape[0]! / 2, 2 * SIZES.frame]);
        return silu(scope.linear(pairs, `${AUDIO}.pair`));
      });
      return scope.segment("audio_projector", [features], (x) => scope.linear(x, "audio_projector.linear"));
    },
  };
}
