import { join } from "node:path";
import type { ProvidedTrackers } from "@thaw/contracts";
import { z } from "zod";
import { trackersInvalid } from "../errors/options.js";
import type { Registry } from "../provides/registry.js";
import type { TrackerFactory } from "./tracker.js";

/** Where trackers write, in the run folder. */
const TRACKERS_FOLDER = "trackers";

/** One entry of `trackers`: its type and the options of that type. */
export type TrackerOptions = ProvidedTrackers[keyof ProvidedTrackers];

/** The same as code reads it, with the options of whatever type. */
export type ResolvedTracker = { readonly type: string } & Readonly<Record<string, unknown>>;

/** What `trackers` may be where these can be named. */
export function trackersSchemaOf(trackers: readonly TrackerFactory[]): z.ZodType<ResolvedTracker[], TrackerOptions[]> {
  const [first, ...others] = trackers.map(({ schema }) => schema);
  const entry =
    first === undefined
      ? z.never("a tracker that a plugin provides: there is none")
      : z.discriminatedUnion("type", [first, ...others] as never).meta({ title: "Tracker" });
  return z.array(entry) as unknown as z.ZodType<ResolvedTracker[], TrackerOptions[]>;
}

/** A tracker that a run names, with its options filled in. */
export interface ChosenTracker {
  /** Its type; with `-2`, `-3` where several are of one type. Also the name of its folder. */
  readonly name: string;
  readonly factory: TrackerFactory;
  readonly options: ResolvedTracker;
}

/** The trackers that a run names. @throws THAW_CORE_TRACKERS_INVALID */
export function chosenTrackers(
  // oxlint-disable-next-line typescript/no-redundant-type-constituents -- none are known in this package
  given: readonly (TrackerOptions | ResolvedTracker)[],
  registry: Registry,
): readonly ChosenTracker[] {
  const factories = registry.all("trackers");
  const result = trackersSchemaOf(factories).safeParse(given);
  if (!result.success) throw trackersInvalid(result.error.issues);
  const counts = new Map<string, number>();
  return result.data.map((options) => {
    const count = (counts.get(options.type) ?? 0) + 1;
    counts.set(options.type, count);
    // The schema let no other type through
    const factory = factories.find(({ type }) => type === options.type)!;
    return { name: count === 1 ? options.type : `${options.type}-${count}`, factory, options };
  });
}

/** A tracker's own folder. */
export function trackerFolder(runFolder: string, { name }: Pick<ChosenTracker, "name">): string {
  return join(runFolder, TRACKERS_FOLDER, name);
}
