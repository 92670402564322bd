import type { Segment } from "@thaw/contracts";
import type { Place } from "../contract/parts.js";

/** Names of a decoder's segments. */
export interface DecoderSegments {
  /** The whole decoder: its component's name. */
  readonly whole: string;
  readonly embed: string;
  /** What all layers read beside the hidden states; no segment where nothing is. */
  readonly beside: string;
  layer(index: number): string;
  readonly norm: string;
  readonly head: string;
}

/** Parameters of a decoder's segments, by checkpoint name. */
export interface DecoderParts {
  /** The embedding first. */
  readonly embed: readonly string[];
  /** Absent: layers read nothing beside the hidden states. */
  readonly beside?: readonly string[];
  readonly layers: readonly (readonly string[])[];
  readonly norm: readonly string[];
  readonly head: readonly string[];
}

/** The names of a component's segments. */
export function decoderNames(component: string): DecoderSegments {
  return {
    whole: component,
    embed: `${component}.embed`,
    beside: `${component}.beside`,
    layer: (index) => `${component}.layers.${index}`,
    norm: `${component}.norm`,
    head: `${component}.head`,
  };
}

/**
 * Segments of a decoder, its own first, then those inside it in data-flow order. `takesFrom`: see `Decoder`.
 */
export function decoderSegments(
  { component, after }: Place,
  parts: DecoderParts,
  takesFrom?: (layer: number) => number | undefined,
): readonly Segment[] {
  const names = decoderNames(component);
  const { beside = [] } = parts;
  const last = parts.layers.length - 1;
  const readBy = (layer: number): readonly string[] => {
    const from = takesFrom?.(layer);
    return [
      layer === 0 ? names.embed : names.layer(layer - 1),
      ...(parts.beside === undefined ? [] : [names.beside]),
      ...(from === undefined ? [] : [names.layer(from)]),
    ];
  };
  const segment = (name: string, before: readonly string[], parameters: readonly string[]): Segment => ({
    name,
    after: [...new Set(before)],
    reads: [],
    parameters,
  });
  const all = [...parts.embed, ...beside, ...parts.layers.flat(), ...parts.norm, ...parts.head];
  return [
    segment(names.whole, after, [...new Set(all)]),
    segment(names.embed, after, parts.embed),
    ...(parts.beside === undefined ? [] : [segment(names.beside, [names.embed], beside)]),
    ...parts.layers.map((parameters, layer) => segment(names.layer(layer), readBy(layer), parameters)),
    segment(names.norm, [last < 0 ? names.embed : names.layer(last)], parts.norm),
    segment(names.head, [names.norm], parts.head),
  ];
}
