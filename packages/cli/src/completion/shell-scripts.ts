import type { CompletedCommand, CompletedOption } from "./completion-table.js";

/** Shells that a script is made for. */
export const SHELLS = ["bash", "zsh", "fish"] as const;
export type Shell = (typeof SHELLS)[number];

type Table = readonly CompletedCommand[];

/** The script that makes a shell complete `thaw`: words, options, their values, and paths everywhere else. */
export function completionScript(shell: Shell, table: Table): string {
  return SCRIPTS[shell](table);
}

const SCRIPTS: Readonly<Record<Shell, (table: Table) => string>> = { bash, zsh, fish };

/** Single quotes, as POSIX shells and fish read them alike where there is no backslash. */
function quoted(text: string): string {
  return `'${text.replaceAll("\\", "").replaceAll("'", "’")}'`;
}

/** Pattern of what stands before a value: `'train --engine'`, in each spelling of the option. */
function pattern(name: string, { names }: CompletedOption): string {
  return names.map((flag) => quoted(`${name} ${flag}`)).join("|");
}

/** Cases that offer an option's only values, by what `offer` makes of them. */
function choiceCases(table: Table, offer: (choices: readonly string[]) => string): readonly string[] {
  return table.flatMap(({ name, options }) =>
    options
      .filter(({ choices }) => choices.length > 0)
      .map((option) => `    ${pattern(name, option)}) ${offer(option.choices)}; return ;;`),
  );
}

/** The case of all options that take any value. */
function freeCase(table: Table, then: string): readonly string[] {
  const free = table.flatMap(({ name, options }) =>
    options
      .filter(({ takesValue, choices }) => takesValue && choices.length === 0)
      .map((option) => pattern(name, option)),
  );
  return free.length === 0 ? [] : [`    ${free.join("|")}) ${then} ;;`];
}

/** Lines that find out, in `at`, the command that the words of `array` name from `first` to before `last`. */
function findCommand(table: Table, array: string, first: string, last: string): readonly string[] {
  const inner = [
    ...new Set(table.flatMap(({ name, words: below }) => below.map(({ word }) => `${name} ${word}`.trim()))),
  ];
  return [
    `  local at='' word i`,
    `  for ((i = ${first}; i < ${last}; i++)); do`,
    `    word="\${at:+$at }\${${array}[i]}"`,
    `    case "$word" in`,
    `      ${inner.map(quoted).join("|")}) at="$word" ;;`,
    "    esac",
    "  done",
  ];
}

function bash(table: Table): string {
  const choices = choiceCases(table, (own) => `COMPREPLY=($(compgen -W ${quoted(own.join(" "))} -- "$cur"))`);
  const offered = table.map(({ name, words, options }) => {
    const flags = options.flatMap(({ names }) => names).filter((flag) => flag.startsWith("--"));
    const following = words.map(({ word }) => word).join(" ");
    return `    ${quoted(name)}) words=${quoted(following)} flags=${quoted(flags.join(" "))} ;;`;
  });
  return [
    "# Completion of thaw for bash, made by: thaw completion bash",
    "_thaw() {",
    "  local cur=\"${COMP_WORDS[COMP_CWORD]}\" prev=\"${COMP_WORDS[COMP_CWORD-1]}\" words='' flags=''",
    ...findCommand(table, "COMP_WORDS", "1", "COMP_CWORD"),
    "  COMPREPLY=()",
    '  case "$at $prev" in',
    ...choices,
    ...freeCase(table, "return"),
    "  esac",
    '  case "$at" in',
    ...offered,
    "  esac",
    '  if [[ "$cur" == -* ]]; then COMPREPLY=($(compgen -W "$flags" -- "$cur"))',
    '  elif [[ -n "$words" ]]; then COMPREPLY=($(compgen -W "$words" -- "$cur"))',
    "  fi",
    "}",
    "complete -o default -F _thaw thaw",
  ].join("\n");
}

function zsh(table: Table): string {
  const described = (word: string, summary: string): string => quoted(`${word}:${summary.replaceAll(":", ",")}`);
  const offered = table.map(({ name, words, options }) => {
    const flags = options.flatMap(({ names, summary }) => names.map((flag) => described(flag, summary)));
    return [
      `    ${quoted(name)})`,
      `      words_=(${words.map(({ word, summary }) => described(word, summary)).join(" ")})`,
      `      flags=(${flags.join(" ")}) ;;`,
    ].join("\n");
  });
  const choices = choiceCases(table, (own) => `compadd -- ${own.map(quoted).join(" ")}`);
  return [
    "#compdef thaw",
    "# Completion of thaw for zsh, made by: thaw completion zsh",
    "_thaw() {",
    '  local cur="${words[CURRENT]}" prev="${words[CURRENT-1]}"',
    "  local -a words_ flags",
    ...findCommand(table, "words", "2", "CURRENT"),
    '  case "$at $prev" in',
    ...choices,
    ...freeCase(table, "_files; return"),
    "  esac",
    '  case "$at" in',
    ...offered,
    "  esac",
    '  if [[ "$cur" == -* ]]; then _describe -o option flags',
    "  elif (( $#words_ )); then _describe command words_",
    "  else _files",
    "  fi",
    "}",
    // Found by its name in fpath the file is the function's body, elsewhere it is sourced
    'if [[ "${funcstack[1]}" == _thaw ]]; then _thaw "$@"; else compdef _thaw thaw; fi',
  ].join("\n");
}

function fish(table: Table): string {
  const commands = table.flatMap(({ name }) => (name === "" ? [] : [quoted(name)]));
  const lines = table.flatMap(({ name, words, options }) => {
    const when = `-n ${quoted(`test (__thaw_at) = "${name}"`)}`;
    return [
      ...words.map(({ word, summary }) => `complete -c thaw -f ${when} -a ${quoted(word)} -d ${quoted(summary)}`),
      ...options.map(({ names, summary, takesValue, choices }) => {
        const flags = names.map((flag) => (flag.startsWith("--") ? `-l ${flag.slice(2)}` : `-s ${flag.slice(1)}`));
        const value = choices.length > 0 ? `-x -a ${quoted(choices.join(" "))}` : takesValue ? "-r -F" : "";
        return `complete -c thaw ${when} ${flags.join(" ")} ${value}`.trimEnd() + ` -d ${quoted(summary)}`;
      }),
    ];
  });
  return [
    "# Completion of thaw for fish, made by: thaw completion fish",
    "function __thaw_at",
    "  set -l at ''",
    "  for word in (commandline -opc)[2..]",
    '    set -l longer (string trim -- "$at $word")',
    `    contains -- $longer ${commands.join(" ")}; and set at $longer`,
    "  end",
    "  echo $at",
    "end",
    ...lines,
  ].join("\n");
}
