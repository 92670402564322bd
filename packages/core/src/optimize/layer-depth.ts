import type { ParameterInfo, Segment } from "@thaw/contracts";
import { innermost } from "../segments/segments.js";

/** How many layers of its component stand behind a parameter's: what its learning rate decays by. */
export interface LayerDepths {
  /** 0 for what stands behind the last layer, and for a component without numbered layers. */
  readonly behind: (parameter: string) => number;
  /** Components that have numbered layers. */
  readonly layered: ReadonlySet<string>;
}

/** What depths are found by. */
export interface LayeredModel {
  readonly segments: readonly Segment[];
  readonly parameters: readonly Pick<ParameterInfo, "name">[];
  /** Component by parameter. */
  readonly owners: ReadonlyMap<string, string>;
}

/** A block of a stack, such as `vision_tower.layers.3`. */
const BLOCK = /\.\d+$/;

/**
 * Depths as BEiT counts them (`get_num_layer_for_vit` of microsoft/unilm, beit/optim_factory.py), within each
 * component: what stands before its first layer is 0, layer i is i + 1, and what stands behind the last one comes last.
 * Frozen layers count as others do, as there and in timm (`param_groups_layer_decay`). What several segments use is of
 * the first one; an adapter is of the layer that it changes.
 */
export function layerDepths({ segments, parameters, owners }: LayeredModel): LayerDepths {
  const stacks = new Map<string, Segment[]>();
  for (const segment of innermost(segments)) {
    const component = segment.parameters.map((name) => owners.get(name)).find((owner) => owner !== undefined);
    if (component !== undefined) stacks.set(component, [...(stacks.get(component) ?? []), segment]);
  }
  const behind = new Map<string, number>();
  const layered = new Set<string>();
  for (const [component, own] of stacks) {
    const count = own.filter(({ name }) => BLOCK.test(name)).length;
    if (count === 0) continue;
    layered.add(component);
    let passed = 0;
    for (const { name, parameters: used } of own) {
      const isBlock = BLOCK.test(name);
      passed += isBlock ? 1 : 0;
      const depth = isBlock || passed === 0 ? passed : count + 1;
      for (const one of used)
        for (const known of [one, moduleOf(one)]) if (!behind.has(known)) behind.set(known, count + 1 - depth);
    }
  }
  const found = new Map(parameters.map(({ name }) => [name, nearest(name, behind)]));
  return { behind: (name) => found.get(name) ?? 0, layered };
}

/** `decoder.layers.1.q_proj` of `decoder.layers.1.q_proj.weight`. */
function moduleOf(parameter: string): string {
  return parameter.slice(0, Math.max(0, parameter.lastIndexOf(".")));
}

/** By the parameter, or the nearest module around it. */
function nearest(parameter: string, known: ReadonlyMap<string, number>): number | undefined {
  for (let name = parameter; name !== ""; name = moduleOf(name)) if (known.has(name)) return known.get(name);
  return undefined;
}
