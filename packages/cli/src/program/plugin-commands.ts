import { providerOf } from "@thaw/config";
import { Registry, ThawError, type Command, type Provider } from "@thaw/core";
import { BUILT_IN_PLUGINS, loadConfig } from "../config/load-config.js";
import { errorLine, type Terminal } from "../terminal/terminal.js";

/** What was found, and what to say beside it. */
export interface FoundCommands {
  readonly commands: readonly Command[];
  /** Why those of the config's plugins are not among them. */
  readonly failure?: unknown;
}

/**
 * The commands of `own` with those that plugins provide: the built-in ones, and where none of these is called `word`
 * those of the config that is found from the working folder. A config that cannot be read hides its own alone.
 * @throws THAW_CORE_PROVIDED_TWICE where a plugin takes another command's name
 */
export async function findCommands(own: Provider, word: string | undefined): Promise<FoundCommands> {
  const commandsOf = (providers: readonly Provider[]): readonly Command[] =>
    new Registry([own, ...providers]).all("commands");
  const builtIn = commandsOf(BUILT_IN_PLUGINS.map(({ definition }) => definition));
  if (word !== undefined && builtIn.some(({ name }) => name.split(" ")[0] === word)) return { commands: builtIn };
  try {
    const { named } = await loadConfig(undefined, { requires: "nothing" });
    return { commands: commandsOf(named.map(providerOf)) };
  } catch (failure) {
    if (failure instanceof ThawError && failure.code === "THAW_CONFIG_NOT_FOUND") return { commands: builtIn };
    return { commands: builtIn, failure };
  }
}

/** Says why the commands of the config's plugins are missing. */
export function tellMissing(failure: unknown, terminal: Terminal): void {
  const text = failure instanceof ThawError ? errorLine(failure, terminal) : String(failure);
  terminal.err(`The commands of the config's plugins are left out:\n${text}`);
}
