import type { Command } from "@thaw/core";
import type { ConfigOptions } from "../commands/config.js";
import type { ConvertOptions } from "../commands/convert.js";
import type { InitOptions } from "../commands/init.js";
import { SHELLS } from "../completion/shell-scripts.js";
import { TRAIN_CHOICES } from "../init/choices.js";
import * as help from "../terminal/help.js";
import type { HostContext, OwnCommand } from "./context.js";
import { BACKEND, SET } from "./flags.js";

/** Writes a first config. */
export const init: Command<InitOptions, HostContext> = {
  name: "init",
  summary: "write a first config: asks for model, data, what trains and what computes",
  help: help.INIT_HELP,
  options: [
    { flags: "--model <path>", summary: "a Hugging Face checkpoint folder, or org/name on the hub" },
    { flags: "--data <set>", summary: "a file or folder, iconify:<set>, or hub:org/name" },
    { flags: "--train <what>", summary: "what trains", choices: TRAIN_CHOICES.map(({ name }) => name) },
    BACKEND,
    { flags: "--output <file>", summary: "write it there", default: "thaw.config.yaml" },
    { flags: "--yes", summary: "ask nothing: take what it would suggest" },
  ],
  async load() {
    const { init: run } = await import("../commands/init.js");
    return (line, { terminal }) => run(line.options, terminal);
  },
};

/** Writes a config of another tool's. */
export const convert: Command<ConvertOptions, HostContext> = {
  name: "convert",
  arguments: "<config>",
  summary: "turn a LLaMA-Factory config or ms-swift arguments into a Thaw config",
  help: help.CONVERT_HELP,
  options: [{ flags: "--output <file>", summary: "write it there; on standard output without it" }],
  async load() {
    const { convert: run } = await import("../commands/convert.js");
    return (line, { terminal }) => run(line.arguments[0]!, line.options, terminal);
  },
};

/** Shows a config. */
export const config: Command<ConfigOptions, HostContext> = {
  name: "config",
  arguments: "[config]",
  summary: "show the config with the origin of every value, or its schema",
  help: help.CONFIG_HELP,
  options: [
    SET,
    { flags: "--print", summary: "every value with its origin (the default)" },
    { flags: "--schema", summary: "the JSON schema (draft-07) for editors, installed plugins included" },
    { flags: "--json", summary: "values and origins as one JSON object" },
  ],
  async load() {
    const { showConfig } = await import("../commands/config.js");
    return (line, { terminal }) => showConfig(line.arguments[0], line.options, terminal);
  },
};

/** Print what makes a shell complete `thaw`, one command per shell. */
export const completions: readonly OwnCommand[] = [
  { name: "completion", summary: "print what makes a shell complete thaw's commands", help: help.COMPLETION_HELP },
  ...SHELLS.map((shell): Command<never, HostContext> => ({
    name: `completion ${shell}`,
    summary: `for ${shell}`,
    async load() {
      const { completion } = await import("../commands/completion.js");
      return (_, context) => completion(shell, context);
    },
  })),
];
