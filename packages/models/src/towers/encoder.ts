import { concat, release, type NamedColumns, type Value } from "@thaw/autograd";
import type { LoadedBatch, MediaItem, Scope, Segment } from "@thaw/contracts";
import { namesOf } from "../blocks/specs.js";
import type { ParameterSpec } from "../contract/family.js";
import type { Tower, TowerPlace } from "../contract/parts.js";
import type { EncoderLayer, EncoderPass } from "./encoder-layer.js";

/** What makes the first hidden state of an encoder from what it reads. */
export interface EncoderEmbeddings {
  readonly specs: readonly ParameterSpec[];
  /** Rows of an item. Absent: as many as it has in the first input that is read. */
  rows?(item: MediaItem): number;
  /** `[rows, hidden]`, item after item. @throws THAW_MODEL_INPUT_MISSING, THAW_MODEL_INPUT_SHAPE */
  run(batch: LoadedBatch, scope: Scope, items: readonly MediaItem[]): Value;
}

/** What becomes of hidden states: a norm, rows that are dropped. */
export interface EncoderEnd {
  readonly specs: readonly ParameterSpec[];
  /** Rows of an item. Absent: as before. */
  rows?(item: MediaItem): number;
  run(x: Value, items: readonly MediaItem[], scope: Scope): Value;
}

/** A tower that is an encoder. */
export interface EncoderOptions {
  /** Names of the inputs that it reads. */
  readonly reads: readonly string[];
  readonly hiddenSize: number;
  readonly embeddings: EncoderEmbeddings;
  /** In order, each with the name of its parameters' prefix. `rows`: of an item, where a layer makes others. */
  readonly layers: readonly {
    readonly name: string;
    readonly layer: EncoderLayer;
    readonly rows?: (item: MediaItem) => number;
  }[];
  /** What the layers need, for these items: asked once per pass, then by number of the layer. */
  pass(items: readonly MediaItem[], scope: Scope): (layer: number) => EncoderPass;
  /** Behind the last layer, on its hidden state. Absent: nothing. */
  readonly norm?: EncoderEnd;
  /**
   * Hidden states that make the features, side by side: 0 is what `embeddings` gives, then that behind each layer. The
   * last one is normed, if there is a norm. Layers behind the last one that is asked for are never computed.
   */
  readonly featureStates: readonly number[];
  /** What the features are of these states, side by side. Absent: they are the features. */
  readonly features?: EncoderEnd & { readonly outputSize?: number };
  /** See `Segment.outputs`. */
  readonly outputs?: readonly NamedColumns[];
  /** Parameters that files hold and nothing computes with. */
  readonly unused?: readonly ParameterSpec[];
  /** What decides the features beside weights, inputs and the formulas of layers. */
  readonly signature: Readonly<Record<string, unknown>>;
}

/**
 * A tower of layers over rows: one segment for its embeddings, one for each layer, one for the norm and one for what
 * makes features of hidden states, so that any of them can be frozen, trained, cached or left out by itself.
 */
export function encoder(options: EncoderOptions, { component, modality }: TowerPlace): Tower {
  const { embeddings, layers, featureStates, hiddenSize, features, reads, unused = [] } = options;
  const used = Math.max(...featureStates);
  const specs = layers.map(({ name, layer }) => layer.specs(name));
  const live = specs.slice(0, used);
  const norm = used === layers.length ? options.norm : undefined;
  const end = features !== undefined && features.specs.length > 0 ? features : undefined;
  const segmentOf = (index: number): string => `${component}.layers.${index}`;
  const names = { embeddings: `${component}.embeddings`, norm: `${component}.norm`, features: `${component}.features` };
  const stateSegment = (state: number): string =>
    state === layers.length && norm !== undefined ? names.norm : state === 0 ? names.embeddings : segmentOf(state - 1);
  const firstRows = embeddings.rows?.bind(embeddings);
  const lastRows = features?.rows?.bind(features) ?? firstRows;
  const formulas = new Set(layers.slice(0, used).map(({ layer }) => layer.formula));
  const signature = JSON.stringify({ ...options.signature, featureStates, layers: [...formulas] });
  const inner: readonly Segment[] = [
    {
      name: names.embeddings,
      after: [],
      reads,
      modality,
      ...(firstRows && { outputRows: firstRows }),
      parameters: namesOf(embeddings.specs),
    },
    ...live.map((own, index) => ({
      name: segmentOf(index),
      after: [index === 0 ? names.embeddings : segmentOf(index - 1)],
      reads: [],
      ...(layers[index]!.rows && { outputRows: layers[index]!.rows }),
      parameters: namesOf(own),
    })),
    ...(norm === undefined
      ? []
      : [{ name: names.norm, after: [segmentOf(used - 1)], reads: [], parameters: namesOf(norm.specs) }]),
    ...(end === undefined
      ? []
      : [{ name: names.features, after: featureStates.map(stateSegment), reads: [], parameters: namesOf(end.specs) }]),
  ];
  return {
    parameters: [
      ...embeddings.specs,
      ...specs.flat(),
      ...(options.norm?.specs ?? []),
      ...(features?.specs ?? []),
      ...unused,
    ],
    segments: [
      {
        name: component,
        after: [],
        reads,
        modality,
        ...(lastRows && { outputRows: lastRows }),
        ...(options.outputs && { outputs: options.outputs }),
        parameters: inner.flatMap(({ parameters }) => parameters),
        signature,
      },
      ...inner,
    ],
    deadParameters: namesOf([
      ...specs.slice(used).flat(),
      ...(norm === undefined ? (options.norm?.specs ?? []) : []),
      ...unused,
    ]),
    outputSize: features?.outputSize ?? hiddenSize * featureStates.length,
    run: (batch, scope, items) =>
      scope.segment(component, [], () => {
        const passOf = options.pass(items, scope);
        const states = new Map<number, Value>();
        let x = scope.segment(names.embeddings, [], () => embeddings.run(batch, scope, items));
        for (let index = 0; index < used; index++) {
          const isKept = featureStates.includes(index);
          if (isKept) states.set(index, x);
          const next = runLayer(segmentOf(index), layers[index]!, namesOf(live[index]!), x, passOf(index), scope);
          if (!isKept) release(x);
          x = next;
        }
        states.set(
          used,
          norm === undefined ? x : scope.segment(names.norm, [x], (rows) => norm.run(rows, items, scope)),
        );
        const asked = featureStates.map((state) => states.get(state)!);
        const joined = asked.length === 1 ? asked[0]! : concat(asked, 1);
        if (features === undefined) return joined;
        if (end === undefined) return features.run(joined, items, scope);
        return scope.segment(names.features, [joined], (rows) => end.run(rows, items, scope));
      }),
  };
}

function runLayer(
  segment: string,
  { name, layer }: EncoderOptions["layers"][number],
  parameters: readonly string[],
  x: Value,
  pass: EncoderPass,
  scope: Scope,
): Value {
  const { spans, rotary } = pass;
  const tables = rotary === undefined ? [] : [rotary.cos, rotary.sin];
  return scope.segment(segment, [x], (input) => {
    if (spans.key === undefined || scope.stretch === undefined) return layer.run(name, input, pass, scope);
    const constants = tables.map((table) => scope.constant(table));
    return scope.stretch(`${layer.formula}#${spans.key}`, [input, ...constants], parameters, (within, rows, cos, sin) =>
      layer.run(
        name,
        rows!,
        rotary === undefined ? pass : { ...pass, rotary: { cos: cos!.tensor, sin: sin!.tensor } },
        within,
      ),
    );
  });
}
