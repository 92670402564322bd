import { nameList, type Provider, type ThawError } from "@thaw/contracts";
import { make } from "./make.js";

type Placed = Pick<Provider, "name"> & { readonly place?: string };

/** Two plugins, or a plugin and Thaw, provide something under one name. */
export function providedTwice(kind: string, name: string, first: Placed, second: Placed): ThawError {
  return make(
    "THAW_CORE_PROVIDED_TWICE",
    `${first.name} and ${second.name} both provide ${name} among the ${kind}. In ${placesOf([first, second])}. ` +
      "Remove one of the two, or let one give another name.",
    { kind, name, providers: [first.name, second.name] },
  );
}

/** Nothing of this kind has that name. */
export function providedUnknown(
  kind: string,
  name: string,
  known: readonly string[],
  nearest: string | undefined,
  where: string,
): ThawError {
  return make(
    "THAW_CORE_PROVIDED_UNKNOWN",
    `There is no ${JSON.stringify(name)} among the ${kind}. In ${where}. ` +
      `${nearest === undefined ? "" : `Did you mean ${nearest}? `}` +
      `${known.length === 0 ? "No plugin provides any." : `There are: ${nameList(known, 30)}.`}`,
    { kind, name, known, where },
  );
}

/** A plugin that works only beside others. */
export function neededPluginMissing(plugin: Placed, missing: readonly string[]): ThawError {
  return make(
    "THAW_CORE_PLUGIN_NEEDED",
    `The plugin ${plugin.name} needs ${nameList(missing)}, which ${missing.length === 1 ? "is" : "are"} not there. ` +
      `In ${placesOf([plugin])}. Add ${missing.length === 1 ? "it" : "them"}, or remove ${plugin.name}.`,
    { plugin: plugin.name, missing },
  );
}

function placesOf(providers: readonly Placed[]): string {
  const places = providers.flatMap(({ place }) => place ?? []);
  return places.length === 0 ? "the plugins" : places.join(" and ");
}
