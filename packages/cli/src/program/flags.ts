import type { CommandOption } from "@thaw/core";
import { badOption } from "../errors.js";
import { LOG_LEVELS } from "../terminal/log.js";

/** A number within bounds, named by its flag where it is none. */
export function bounded(option: string, least: number, most = Infinity): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() !== "" && value >= least && value <= most) return value;
    throw badOption(option, text, most === Infinity ? `a number from ${least}` : `a number from ${least} to ${most}`);
  };
}

/** A whole number from `least`. */
export function count(option: string, least = 1): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() === "" || !Number.isInteger(value) || value < least)
      throw badOption(option, text, `a whole number from ${least}`);
    return value;
  };
}

/** Options that several commands have. */
export const SET: CommandOption = {
  flags: "--set <key=value>",
  summary: "override one value, as YAML: --set training.epochs=3 (repeatable)",
  isList: true,
};
export const TRUST: CommandOption = {
  flags: "--trust",
  summary: "let the run's own config name code: plugins, configs in code, libraries",
};
export const QUIET: CommandOption = { flags: "--quiet", summary: "no progress bar" };
export const BACKEND: CommandOption = {
  flags: "--backend <name>",
  summary: "what computes",
  choices: ["auto", "gpu", "webgpu", "native", "wasm", "cpu"],
};
export const MAX_NEW_TOKENS: CommandOption = {
  flags: "--max-new-tokens <n>",
  summary: "longest answer",
  parse: count("--max-new-tokens"),
};

/** `--log-level` with its default. */
export const logLevel = (level: string): CommandOption => ({
  flags: "--log-level <level>",
  summary: "how much to log on standard error",
  choices: LOG_LEVELS,
  default: level,
});

/** How tokens are drawn. */
export const DECODING: readonly CommandOption[] = [
  {
    flags: "--temperature <t>",
    summary: "draw tokens, more evenly the higher; the likeliest ones without it",
    parse: bounded("--temperature", 0),
  },
  { flags: "--top-k <n>", summary: "draw among so many of the likeliest tokens", parse: count("--top-k") },
  {
    flags: "--top-p <p>",
    summary: "draw among the fewest tokens that make this probability",
    parse: bounded("--top-p", 0, 1),
  },
  { flags: "--seed <n>", summary: "the same seed draws the same tokens", parse: count("--seed", 0) },
  {
    flags: "--repetition-penalty <p>",
    summary: "above 1, tokens that are there already are less likely",
    parse: bounded("--repetition-penalty", 0.01),
  },
];
