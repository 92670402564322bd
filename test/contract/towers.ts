import { add, AttentionSpans, joinColumns, mul, multiHeadAttention, reshape, silu, type Value } from "@thaw/autograd";
import type { Segment } from "@thaw/core";
import {
  type Connector,
  type ConnectorPlace,
  linearSpecs,
  namesOf,
  type ParameterSpec,
  type Tower,
  type TowerPlace,
} from "@thaw/models";

/** Sizes of the model. */
export const SIZES = { patch: 6, vision: 8, frame: 4, audio: 6, hidden: 12, vocabulary: 40 } as const;

/** Patches of pictures of any size, each attending to its own picture, in two blocks, times a number that is stored. */
export function visionTower({ component, modality }: TowerPlace): Tower {
  const embedding = linearSpecs(`${component}.embed`, SIZES.patch, SIZES.vision, true);
  const gain: ParameterSpec = {
    name: `${component}.gain`,
    shape: [],
    role: () => Float32Array.of(0.8),
    isBuffer: true,
  };
  const blocks = [0, 1].map((index) =>
    ["query", "key", "value", "out"].flatMap((part) =>
      linearSpecs(`${component}.layers.${index}.${part}`, SIZES.vision, SIZES.vision, part === "out"),
    ),
  );
  const whole: Segment = {
    name: component,
    after: [],
    reads: ["patches"],
    modality,
    parameters: namesOf([embedding, [gain], ...blocks].flat()),
    signature: "contract vision tower",
  };
  return {
    parameters: [embedding, [gain], ...blocks].flat(),
    segments: [
      whole,
      {
        name: `${component}.embed`,
        after: [],
        reads: ["patches"],
        modality,
        parameters: namesOf([...embedding, gain]),
      },
      ...blocks.map((specs, index) => ({
        name: `${component}.layers.${index}`,
        after: [index === 0 ? `${component}.embed` : `${component}.layers.${index - 1}`],
        reads: [],
        parameters: namesOf(specs),
      })),
    ],
    outputSize: SIZES.vision,
    run: (batch, scope) =>
      scope.segment(component, [], () => {
        const { tensor, offsets } = batch.inputs["patches"]!;
        const spans = AttentionSpans.within(offsets, false);
        let x = scope.segment(`${component}.embed`, [], () =>
          mul(scope.linear(scope.constant(tensor), `${component}.embed`), scope.parameter(gain.name)),
        );
        for (const [index] of blocks.entries())
          x = scope.segment(`${component}.layers.${index}`, [x], (input) => {
            const [q, k, v] = ["query", "key", "value"].map((part) =>
              scope.linear(input, `${component}.layers.${index}.${part}`),
            ) as [Value, Value, Value];
            const mixed = multiHeadAttention(q, k, v, { headCount: 2, scale: 0.5, spans });
            return add(input, scope.linear(mixed, `${component}.layers.${index}.out`));
          });
        return x;
      }),
  };
}

/** Frames of sounds, two of which make one row. */
export function audioTower({ component, modality }: TowerPlace): Tower {
  const parameters = linearSpecs(`${component}.pair`, 2 * SIZES.frame, SIZES.audio, true);
  return {
    parameters,
    segments: [
      {
        name: component,
        after: [],
        reads: ["frames"],
        modality,
        outputRows: (item) => item.inputs["frames"]!.rows / 2,
        parameters: namesOf(parameters),
        signature: "contract audio tower",
      },
    ],
    outputSize: SIZES.audio,
    run: (batch, scope) =>
      scope.segment(component, [], () => {
        const frames = scope.constant(batch.inputs["frames"]!.tensor);
        const pairs = reshape(frames, [frames.shape[0]! / 2, 2 * SIZES.frame]);
        return silu(scope.linear(pairs, `${component}.pair`));
      }),
  };
}

/** A matrix for what tokens become, and one for what is added to them further up. */
export function deepConnector({ component, after, inputSize }: ConnectorPlace): Connector {
  const outputs = ["linear", "deep"].map((name) => ({ name, width: SIZES.hidden }));
  const parameters = outputs.flatMap(({ name }) =>
    linearSpecs(`${component}.${name}`, inputSize, SIZES.hidden, name === "linear"),
  );
  return {
    parameters,
    segments: [{ name: component, after, reads: [], outputs, parameters: namesOf(parameters) }],
    outputSize: 2 * SIZES.hidden,
    run: (features, scope) =>
      scope.segment(component, [features], (x) =>
        joinColumns(
          outputs,
          Object.fromEntries(outputs.map(({ name }) => [name, scope.linear(x, `${component}.${name}`)])),
        ),
      ),
  };
}

/** One matrix. */
export function plainConnector({ component, after, inputSize }: ConnectorPlace): Connector {
  const parameters = linearSpecs(`${component}.linear`, inputSize, SIZES.hidden, false);
  return {
    parameters,
    segments: [{ name: component, after, reads: [], parameters: namesOf(parameters) }],
    outputSize: SIZES.hidden,
    run: (features, scope) => scope.segment(component, [features], (x) => scope.linear(x, `${component}.linear`)),
  };
}
