import type { CommandOption } from "@thaw/core";
import { Option } from "commander";

/** One option, as a shell offers it. */
export interface CompletedOption {
  /** All ways to write it: `--quiet`, `-q`. */
  readonly names: readonly string[];
  readonly summary: string;
  /** True where a value has to follow: what comes next is not a word of its own. */
  readonly takesValue: boolean;
  /** The only values, where there are such; else any, also a path. */
  readonly choices: readonly string[];
}

/** What can follow one command. */
export interface CompletedCommand {
  /** `backend install`; empty for `thaw` itself. */
  readonly name: string;
  /** Words that make it another command, with what these do. */
  readonly words: readonly { readonly word: string; readonly summary: string }[];
  readonly options: readonly CompletedOption[];
}

/** What completion reads of a command. */
export interface ListedCommand {
  readonly name: string;
  readonly summary: string;
  readonly options?: readonly CommandOption[];
}

const EVERYWHERE: readonly CommandOption[] = [
  { flags: "-h, --help", summary: "show what it does" },
  { flags: "--debug", summary: "show stacks of errors" },
];

/** What a shell can offer after each command of the table, `thaw` itself first. */
export function completionTable(commands: readonly ListedCommand[]): readonly CompletedCommand[] {
  const known = new Map(commands.map((command) => [command.name, command]));
  // `backend` is there where nothing but `backend install` is
  const names = commands.flatMap(({ name }) => name.split(" ").map((_, index, words) => startOf(words, index + 1)));
  const own = [...new Set(names)].map((name) => ({ name, options: known.get(name)?.options ?? [] }));
  const version = { flags: "-v, --version", summary: "show Thaw's version" };
  return [{ name: "", options: [version] }, ...own].map(({ name, options }) => ({
    name,
    words: wordsAfter(name, commands),
    options: [...options, ...EVERYWHERE].map(completed),
  }));
}

function startOf(words: readonly string[], count: number): string {
  return words.slice(0, count).join(" ");
}

/** `backend` of `backend install` counts once, with what the shortest command of that word says. */
function wordsAfter(name: string, commands: readonly ListedCommand[]): CompletedCommand["words"] {
  const start = name === "" ? [] : name.split(" ");
  const words = new Map<string, string>();
  const below = commands
    .map(({ name: own, summary }) => ({ parts: own.split(" "), summary }))
    .filter(({ parts }) => parts.length > start.length && start.every((word, index) => parts[index] === word));
  for (const { parts, summary } of below.sort((one, other) => one.parts.length - other.parts.length)) {
    const word = parts[start.length]!;
    if (!words.has(word)) words.set(word, summary);
  }
  return [...words].map(([word, summary]) => ({ word, summary }));
}

function completed({ flags, summary, choices = [] }: CommandOption): CompletedOption {
  const { long, short, required } = new Option(flags);
  const names = [long, short].filter((name): name is string => name !== undefined && name !== null);
  return { names, summary, takesValue: required, choices };
}
