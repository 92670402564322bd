import type { Setting } from "@thaw/contracts";
import { pluginOptionsAsync, pluginOptionsInvalid } from "../errors/plugins.js";
import type { Plugin, PluginDefinition, PluginFactory } from "./plugin.js";
import { settingsOf } from "./settings.js";

/**
 * Makes a plugin's factory. Called with options (validated by `optionsSchema`) and, by a config, with their provenance;
 * without provenance every given option counts as explicit. @throws THAW_CORE_PLUGIN_OPTIONS_INVALID listing all
 * issues, THAW_CORE_PLUGIN_OPTIONS_ASYNC
 */
export function definePlugin<Input = undefined, Options = Input>(
  definition: PluginDefinition<Input, Options>,
): PluginFactory<Input, Options> {
  const create = (input?: Input, settings?: readonly Setting[]): Plugin => {
    const options = validate(definition, input);
    const known = settings ?? settingsOf(definition.configKey ?? definition.name, input);
    return {
      name: definition.name,
      apiVersion: definition.apiVersion,
      configKey: definition.configKey,
      claims: typeof definition.claims === "function" ? definition.claims(options) : definition.claims,
      settings: known,
      provides: definition.provides,
      needs: definition.needs,
      apply: (trainer) => definition.apply?.(trainer, options, known),
    };
  };
  return Object.assign(create, { definition });
}

function validate<Input, Options>(definition: PluginDefinition<Input, Options>, input: Input | undefined): Options {
  if (definition.optionsSchema === undefined) return input as unknown as Options;
  // An absent section means the schema's defaults; a schema of a scalar wants undefined itself.
  const first = check(definition, input);
  const result = first.issues !== undefined && input === undefined ? check(definition, {}) : first;
  if (result.issues === undefined) return result.value;
  const issues = (input === undefined ? first : result).issues ?? result.issues;
  throw pluginOptionsInvalid(
    definition.name,
    issues.map(({ path, message }) => ({ path: pathText(path), message })),
  );
}

function check<Input, Options>(definition: PluginDefinition<Input, Options>, input: unknown) {
  const result = definition.optionsSchema!["~standard"].validate(input);
  if (result instanceof Promise) throw pluginOptionsAsync(definition.name);
  return result;
}

function pathText(path: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined): string {
  return (path ?? []).map((part) => String(typeof part === "object" ? part.key : part)).join(".");
}
