import type { Value } from "@thaw/autograd";
import type { MediaItem, Scope, Segment } from "@thaw/contracts";
import { namesOf } from "../blocks/specs.js";
import type { ParameterSpec } from "../contract/family.js";
import type { Connector, ConnectorPlace } from "../contract/parts.js";

/** What a connector of one segment computes. */
export interface OneSegmentOptions extends Pick<Segment, "outputRows" | "outputs" | "signature"> {
  readonly parameters: readonly ParameterSpec[];
  /** Columns of its output. */
  readonly outputSize: number;
  /** `[rows, inputSize]` of the items, in order, to `[other rows, outputSize]`. */
  readonly run: (x: Value, scope: Scope, items: readonly MediaItem[]) => Value;
}

/** A connector whose only segment is the component's own, and uses all of its parameters. */
export function oneSegment({ component, after }: ConnectorPlace, options: OneSegmentOptions): Connector {
  const { parameters, outputSize, run, ...segment } = options;
  return {
    parameters,
    segments: [{ name: component, after, reads: [], ...segment, parameters: namesOf(parameters) }],
    outputSize,
    run: (features, scope, items) => scope.segment(component, [features], (x) => run(x, scope, items)),
  };
}
