import { concat, type Value } from "@thaw/autograd";
import { itemsOf, ownersOfItems, type LoadedBatch, type MediaItem, type Scope, type Segment } from "@thaw/contracts";
import type { Connector, ConnectorPlace, Tower, TowerPlace } from "../contract/parts.js";

/** What a part made of a batch. */
export interface Made {
  /** `[rows, outputSize]`. */
  readonly features: Value;
  /** The items whose rows these are, in order. */
  readonly items: readonly MediaItem[];
  /** The part's own segment. */
  readonly segment: Segment;
}

/** Towers and connectors, each connected to those that it reads. */
export interface Wired {
  /** In data-flow order. */
  readonly parts: readonly (Tower | Connector)[];
  /** The segments that the decoder reads. */
  readonly ends: readonly string[];
  /** Rows that an item has behind the parts of that way. */
  rowsOf(way: readonly string[], item: MediaItem): number;
  /** Runs what has items: what each end made. */
  run(batch: LoadedBatch, scope: Scope): readonly Made[];
}

/** Makes the parts and connects them: the way of each modality starts at a tower and leads through connectors. */
export function wire(
  towers: Readonly<Record<string, (place: TowerPlace) => Tower>>,
  connectors: Readonly<Record<string, (place: ConnectorPlace) => Connector>>,
  media: Readonly<Record<string, { readonly through: readonly string[] }>>,
): Wired {
  const ways = Object.values(media).map(({ through }) => through);
  const before = (name: string): readonly string[] => [
    ...new Set(ways.flatMap((way) => way.filter((_, index) => way[index + 1] === name))),
  ];
  const ends = [...new Set(ways.map((way) => way.at(-1)!))];
  const modalityOf = (component: string): { readonly modality?: string } => {
    const [modality, ...others] = Object.keys(media).filter((name) => media[name]!.through.includes(component));
    return modality === undefined || others.length > 0 ? {} : { modality };
  };
  const made = new Map<string, Tower>(
    Object.entries(towers).map(([component, make]) => [
      component,
      make({ component, after: [], ...modalityOf(component) }),
    ]),
  );
  const joined = new Map<string, { readonly connector: Connector; readonly after: readonly string[] }>();
  const sizeOf = (name: string): number => (made.get(name) ?? joined.get(name)!.connector).outputSize;
  for (const [component, make] of Object.entries(connectors)) {
    const after = before(component);
    joined.set(component, { connector: make({ component, after, inputSize: sizeOf(after[0]!) }), after });
  }
  return {
    parts: [...made.values(), ...[...joined.values()].map(({ connector }) => connector)],
    ends,
    rowsOf(way, item) {
      const segments = way.map((name) => (made.get(name) ?? joined.get(name)!.connector).segments[0]);
      const counting = segments.findLast((segment) => typeof segment.outputRows === "function") ?? segments[0]!;
      return counting.outputRows?.(item) ?? item.inputs[counting.reads[0]!]!.rows;
    },
    run(batch, scope) {
      const results = new Map<string, Made>();
      for (const [name, tower] of made) {
        const [segment] = tower.segments;
        const items = itemsOf(segment, batch.media);
        if (items.length === 0) continue;
        const features = owned(scope, items, segment.reads[0], () => tower.run(batch, scope, items));
        results.set(name, { features, items, segment });
      }
      for (const [name, { connector, after }] of joined) {
        const given = after.flatMap((part) => results.get(part) ?? []);
        if (given.length === 0) continue;
        const items = given.flatMap((part) => part.items);
        const inputs = given.map(({ features }) => features);
        const joinedInputs = inputs.length === 1 ? inputs[0]! : concat(inputs, 0);
        const read = given.length === 1 ? given[0]!.segment.reads[0] : undefined;
        const features = owned(scope, items, read, () => connector.run(joinedInputs, scope, items));
        results.set(name, { features, items, segment: connector.segments[0] });
      }
      return ends.flatMap((name) => results.get(name) ?? []);
    },
  };
}

/** Runs a part, of whose rows it is told whose they are: `input` is what is read of the items. */
function owned<T>(scope: Scope, items: readonly MediaItem[], input: string | undefined, run: () => T): T {
  return scope.owned === undefined ? run() : scope.owned(ownersOfItems(items, input), run);
}
