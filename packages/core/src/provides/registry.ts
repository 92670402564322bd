import { append, nearestNames, type Provider, type Provides } from "@thaw/contracts";
import { neededPluginMissing, providedTwice, providedUnknown } from "../errors/provides.js";

/** A kind of what plugins provide: `families`, `formats`, `optimizers`. */
export type ProvidedKind = keyof Provides;
/** One entry of a kind. */
export type ProvidedEntry<Kind extends ProvidedKind> = Required<Provides>[Kind] extends readonly (infer Value)[]
  ? Value
  : never;

/** A provider with the place that names it, for messages: `plugins.0 (thaw.config.yaml:3:5)`. */
type PlacedProvider = Provider & { readonly place?: string };

interface Entry {
  readonly name: string;
  readonly value: unknown;
  readonly provider: PlacedProvider;
}

/**
 * All that a config's plugins and Thaw itself provide, by kind and name. One per config, so that two configs in a
 * process know nothing of each other.
 */
export class Registry {
  readonly #entries = new Map<string, Entry[]>();
  readonly #values = new Map<string, readonly unknown[]>();

  /**
   * Thaw's own providers first, then plugins.
   * @throws THAW_CORE_PROVIDED_TWICE naming both providers, THAW_CORE_PLUGIN_NEEDED
   */
  constructor(providers: readonly PlacedProvider[]) {
    const names = new Set(providers.map(({ name }) => name));
    for (const provider of providers) {
      const { provides = {}, needs = [] } = provider;
      const missing = needs.filter((needed) => !names.has(needed));
      if (missing.length > 0) throw neededPluginMissing(provider, missing);
      for (const [kind, values] of Object.entries(provides) as [string, readonly unknown[]][])
        for (const value of values) this.#add(kind, { name: nameOf(value), value, provider });
    }
  }

  /**
   * Every entry of a kind, in the order of the providers: the same list each time, so that what it makes can be kept.
   */
  all<Kind extends ProvidedKind>(kind: Kind): readonly ProvidedEntry<Kind>[] {
    const values = this.#values.get(kind) ?? Object.freeze(this.#of(kind).map(({ value }) => value));
    this.#values.set(kind, values);
    return values as readonly ProvidedEntry<Kind>[];
  }

  /** The names of a kind's entries, in the order of the providers. */
  names(kind: ProvidedKind): readonly string[] {
    return this.#of(kind).map(({ name }) => name);
  }

  /** The entry of that name, if there is one. */
  find<Kind extends ProvidedKind>(kind: Kind, name: string): ProvidedEntry<Kind> | undefined {
    return this.#of(kind).find((entry) => entry.name === name)?.value as ProvidedEntry<Kind> | undefined;
  }

  /**
   * The entry of that name; `where` is the key, with file and line where they are known.
   * @throws THAW_CORE_PROVIDED_UNKNOWN naming what there is and the nearest
   */
  get<Kind extends ProvidedKind>(kind: Kind, name: string, where: string): ProvidedEntry<Kind> {
    const found = this.find(kind, name);
    if (found !== undefined) return found;
    const known = this.names(kind);
    throw providedUnknown(kind, name, known, nearestNames(name, known, 1)[0], where);
  }

  /** Who provides the entry of that name. */
  providerOf(kind: ProvidedKind, name: string): string | undefined {
    return this.#of(kind).find((entry) => entry.name === name)?.provider.name;
  }

  #add(kind: string, entry: Entry): void {
    const other = this.#entries.get(kind)?.find(({ name }) => name === entry.name);
    if (other !== undefined) throw providedTwice(kind, entry.name, other.provider, entry.provider);
    append(this.#entries, kind, entry);
  }

  #of(kind: string): readonly Entry[] {
    return this.#entries.get(kind) ?? [];
  }
}

/** What configs and command lines call an entry: families by their `model_type`, commands by their words. */
function nameOf(value: unknown): string {
  const { type, modelType, name } = value as { type?: string; modelType?: string; name?: string };
  return type ?? modelType ?? name ?? "";
}
