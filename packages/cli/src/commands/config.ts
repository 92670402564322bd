import { configJsonSchema, printedSettings } from "@thaw/config";
import { ThawError } from "@thaw/core";
import { hostSections, loadConfig, type LoadedConfig } from "../config/load-config.js";
import { findingLines, verdictLine } from "../render/findings.js";
import { stageTitle } from "../render/text.js";
import type { Terminal } from "../terminal/terminal.js";

/** Options of `thaw config`. */
export interface ConfigOptions {
  readonly set: readonly string[];
  readonly print?: boolean;
  readonly schema?: boolean;
  readonly json?: boolean;
}

/** Prints every value with its origin, or the JSON schema. Returns 1 where the config has errors. */
export async function showConfig(
  configPath: string | undefined,
  options: ConfigOptions,
  terminal: Terminal,
): Promise<number> {
  if (options.schema === true) {
    const { registry, named } = await configOrNone(configPath, options);
    terminal.out(JSON.stringify(configJsonSchema(hostSections(registry), named), null, 2));
    return 0;
  }
  const config = await loadConfig(configPath, { set: options.set, requires: "nothing" });
  const { colors, errorColors, width } = terminal;
  const stages = config.stages.map(({ name, config: { settings, defaults } }) => ({
    name,
    settings: [...settings, ...defaults],
  }));
  if (options.json === true)
    terminal.out(
      JSON.stringify({
        file: config.file,
        settings: [...config.settings, ...config.defaults],
        ...(stages.length === 0 ? {} : { stages }),
      }),
    );
  else if (stages.length === 0) print(config, terminal);
  else {
    for (const [index, { name, config: stage }] of config.stages.entries()) {
      terminal.out(`${index === 0 ? "" : "\n"}${colors.bold(stageTitle(name, index, stages.length))}`);
      print(stage, terminal);
    }
  }
  if (config.findings.length === 0) return 0;
  terminal.err(`\n${verdictLine(config.findings, errorColors)}`);
  for (const line of findingLines(config.findings, { colors: errorColors, folder: process.cwd(), width }))
    terminal.err(line);
  return config.hasErrors ? 1 : 0;
}

function print(config: LoadedConfig, terminal: Terminal): void {
  const lines = printedSettings(config.settings, config.defaults, process.cwd());
  const longest = Math.min(64, Math.max(0, ...lines.map(({ path, value }) => path.length + value.length + 2)));
  for (const { path, value, origin } of lines)
    terminal.out(`${`${path}: ${value}`.padEnd(longest)}  ${terminal.colors.dim(`# ${origin}`)}`);
}

/** The schema is wanted before there is a config: then it holds the built-in plugins alone. */
async function configOrNone(configPath: string | undefined, options: ConfigOptions): Promise<LoadedConfig> {
  try {
    return await loadConfig(configPath, { set: options.set, requires: "nothing" });
  } catch (error) {
    if (!(error instanceof ThawError) || error.code !== "THAW_CONFIG_NOT_FOUND") throw error;
    return loadConfig(null, { requires: "nothing" });
  }
}
