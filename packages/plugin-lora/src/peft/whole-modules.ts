import { append, outermost, outersOf, type Model } from "@thaw/core";
import { moduleName } from "../planning/module-names.js";

/** Modules that a PEFT adapter saves whole, for the parameters that trained without one. */
export interface WholeModules {
  /** As transformers spells them. */
  readonly modules: readonly string[];
  /** Checkpoint names of all parameters in them. */
  readonly parameters: readonly string[];
  /** Trained parameters that no module holds alone, or that are tied: an adapter file cannot hold them. */
  readonly omitted: readonly string[];
}

/**
 * The largest modules that trained as a whole, so that base model and adapter file together are the trained model. A
 * parameter whose module trained in part takes its module along. Lists of numbered modules do not count: PEFT cannot
 * wrap them.
 */
export function wholeModules(model: Model, trained: ReadonlySet<string>): WholeModules {
  const tree = new ModuleTree(model);
  const own = model.parameters.filter(({ name }) => trained.has(name));
  const modules = new Set<string>();
  const omitted: string[] = [];
  for (const { name, tiedNames } of own) {
    const module =
      (tiedNames ?? []).length > 0
        ? undefined
        : tree.largestWhole(moduleName(model, name), (other) => trained.has(other));
    if (module === undefined) omitted.push(name);
    else modules.add(module);
  }
  const largest = outermost([...modules].map((name) => ({ name }))).map(({ name }) => name);
  return { modules: largest, parameters: largest.flatMap((module) => tree.parametersOf(module)), omitted };
}

class ModuleTree {
  /** Checkpoint names by the module that they are in, at any depth. */
  readonly #parameters = new Map<string, string[]>();
  readonly #children = new Map<string, Set<string>>();
  readonly #tied: ReadonlySet<string>;

  constructor(model: Model) {
    this.#tied = new Set(
      model.parameters.filter(({ tiedNames }) => (tiedNames ?? []).length > 0).map(({ name }) => name),
    );
    for (const { name } of model.parameters) {
      const segments = moduleName(model, name).split(".");
      for (let depth = 1; depth < segments.length; depth++) {
        const module = segments.slice(0, depth).join(".");
        append(this.#parameters, module, name);
        this.#children.set(module, (this.#children.get(module) ?? new Set()).add(segments[depth]!));
      }
    }
  }

  parametersOf(module: string): readonly string[] {
    return this.#parameters.get(module) ?? [];
  }

  /**
   * The module right around a parameter, or the largest one around it of which everything trained. Undefined for a
   * parameter of the model itself.
   */
  largestWhole(parameter: string, isTrained: (name: string) => boolean): string | undefined {
    let found: string | undefined;
    for (const module of outersOf(parameter)) {
      const parameters = this.parametersOf(module);
      const isWhole = parameters.every((name) => isTrained(name) && !this.#tied.has(name));
      if (found === undefined ? isWhole || this.#isLeaf(module, parameter) : isWhole && !this.#isList(module))
        found = module;
    }
    return found;
  }

  /** True if the module holds nothing but parameters of its own. */
  #isLeaf(module: string, parameter: string): boolean {
    return (
      parameter.lastIndexOf(".") === module.length &&
      [...(this.#children.get(module) ?? [])].every((child) => !this.#children.has(`${module}.${child}`))
    );
  }

  #isList(module: string): boolean {
    return [...(this.#children.get(module) ?? [])].every((child) => /^\d+$/.test(child));
  }
}
