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

/** Patterns of what stands before a value, `train --engine`, of the options that fit. */
function patterns(table: Table, fits: (option: CompletedOption) => boolean): readonly string[] {
  return table.flatMap(({ name, options }) =>
    options.filter(fits).flatMap(({ names }) => names.map((flag) => quoted(`${name} ${flag}`))),
  );
}

function commandPatterns(table: Table): string {
  return table
    .filter(({ name }) => name !== "")
    .map(({ name }) => quoted(name))
    .join("|");
}

/** Lines that find out, in `at`, the command that the words before the current one name. */
function findCommand(table: Table, words: string, last: string): readonly string[] {
  const inner = [
    ...new Set(table.flatMap(({ name, words: below }) => below.map(({ word }) => `${name} ${word}`.trim()))),
  ];
  return [
    `  local at='' word i`,
    `  for ((i = ${words}; i < ${last}; i++)); do`,
    '    word="${at:+$at }${WORDS[i]}"',
    `    case "$word" in`,
    `      ${inner.map(quoted).join("|")}) at="$word" ;;`,
    "    esac",
    "  done",
  ];
}

function bash(table: Table): string {
  const choices = table.flatMap(({ name, options }) =>
    options
      .filter((option) => option.choices.length > 0)
      .map((option) => {
        const keys = option.names.map((flag) => quoted(`${name} ${flag}`)).join("|");
        return `    ${keys}) COMPREPLY=($(compgen -W ${quoted(option.choices.join(" "))} -- "$cur")); return ;;`;
      }),
  );
  const free = patterns(table, ({ takesValue, choices: own }) => takesValue && own.length === 0);
  const offered = table.map(({ name, words, options }) => {
    const flags = options.flatMap(({ names }) => names).filter((flag) => flag.startsWith("--"));
    const following = words.map(({ word }) => word).join(" ");
    return `    ${quoted(name)}) words=${quoted(following)} flags=${quoted(flags.join(" "))} ;;`;
  });
  return [
    "# Completion of thaw for bash, made by: thaw completion bash",
    "_thaw() {",
    "  local cur=\"${COMP_WORDS[COMP_CWORD]}\" prev=\"${COMP_WORDS[COMP_CWORD-1]}\" words='' flags=''",
    ...findCommand(table, "1", "COMP_CWORD").map((line) => line.replace("WORDS[i]", "COMP_WORDS[i]")),
    "  COMPREPLY=()",
    '  case "$at $prev" in',
    ...choices,
    ...(free.length === 0 ? [] : [`    ${free.join("|")}) return ;;`]),
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
  const choices = table.flatMap(({ name, options }) =>
    options
      .filter((option) => option.choices.length > 0)
      .map((option) => {
        const keys = option.names.map((flag) => quoted(`${name} ${flag}`)).join("|");
        return `    ${keys}) compadd -- ${option.choices.map(quoted).join(" ")}; return ;;`;
      }),
  );
  const free = patterns(table, ({ takesValue, choices: own }) => takesValue && own.length === 0);
  return [
    "#compdef thaw",
    "# Completion of thaw for zsh, made by: thaw completion zsh",
    "_thaw() {",
    '  local cur="${words[CURRENT]}" prev="${words[CURRENT-1]}"',
    "  local -a words_ flags",
    ...findCommand(table, "2", "CURRENT").map((line) => line.replace("WORDS[i]", "words[i]")),
    '  case "$at $prev" in',
    ...choices,
    ...(free.length === 0 ? [] : [`    ${free.join("|")}) _files; return ;;`]),
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
    `    contains -- $longer ${commandPatterns(table).replaceAll("|", " ")}; and set at $longer`,
    "  end",
    "  echo $at",
    "end",
    ...lines,
  ].join("\n");
}
