import type { ForeignEntry } from "./types.js";
import { expand, expansionAt, remember } from "./variables.js";

/** A word of a command line and the line on which it begins, from 1. */
interface Word {
  readonly text: string;
  readonly line: number;
}

/** True for a script that trains with LLaMA-Factory: `llamafactory-cli train`, or its `train.py` by a launcher. */
export function runsLlamaFactory(text: string): boolean {
  return /(^|[\s/])llamafactory-cli\s+train\s/.test(text) || /(^|\s)(\S*\/)?src\/train(_bash)?\.py\s/.test(text);
}

/** Where the arguments of the command begin that trains, as an index of `words`; 0 where there is no such command. */
function startOfArguments(words: readonly Word[]): number {
  const at = words.findIndex(({ text: word }, index) => {
    const next = words[index + 1]?.text ?? "";
    if (/(^|\/)(src\/train|src\/train_bash)\.py$/.test(word)) return true;
    return word === "swift" ? /^(sft|pt|rlhf)$/.test(next) : /(^|\/)llamafactory-cli$/.test(word) && next === "train";
  });
  return at < 0 ? 0 : at + (words[at]!.text.endsWith(".py") ? 1 : 2);
}

/**
 * The `--key value ...` pairs of a command line or script: the command in it that trains (`swift sft`, `pt` or `rlhf`,
 * `llamafactory-cli train`, `src/train.py`) if there is one, else all of it. Quotes, comments and continued lines are
 * as in a POSIX shell; variables that the script itself sets before are filled in, also in sums of two whole numbers
 * (`$((a / b))`, `$(expr a / b)`); all other variables and commands stay as they are written. Several values make a
 * list. `swift rlhf` without `--rlhf_type` gets it as `dpo`, its default.
 */
export function readArguments(text: string): readonly ForeignEntry[] {
  const words = wordsOf(text);
  const start = startOfArguments(words);
  const end = words.findIndex(({ text: word }, index) => index >= start && [";", "&&", "|", "\n"].includes(word));
  const own =
    start === 0 ? words.filter(({ text: word }) => word !== "\n") : words.slice(start, end < 0 ? undefined : end);
  const last = words[start - 1];
  const entries: ForeignEntry[] = last?.text === "rlhf" ? [{ key: "rlhf_type", value: "dpo", line: last.line }] : [];
  for (let index = 0; index < own.length; index++) {
    const { text: word, line } = own[index]!;
    if (!/^--[A-Za-z]/.test(word)) continue;
    const [key, inline] = splitOnce(word.slice(2));
    const values = inline === undefined ? [] : [inline];
    while (inline === undefined && own[index + 1] !== undefined && !/^--[A-Za-z]/.test(own[index + 1]!.text))
      values.push(own[++index]!.text);
    entries.push({
      key: key.replaceAll("-", "_"),
      value: values.length === 0 ? "true" : values.length === 1 ? values[0] : values,
      line,
    });
  }
  return entries;
}

/** Argument lists as they are kept in JSON: `["--model", "x", "--freeze_vit", "false"]`, one word each. */
export function readArgumentList(words: readonly string[]): readonly ForeignEntry[] {
  return readArguments(words.map((word) => `'${word.replaceAll("'", String.raw`'\''`)}'`).join(" ")).map(
    ({ key, value }) => ({ key, value }),
  );
}

function splitOnce(text: string): readonly [string, string | undefined] {
  const at = text.indexOf("=");
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
}

/** Words of a script; an unquoted end of line is the word `\n`. */
function wordsOf(text: string): readonly Word[] {
  const words: Word[] = [];
  const variables = new Map<string, string>();
  let line = 1;
  let current: { text: string; line: number } | undefined;
  let quote: string | undefined;
  const add = (characters: string): void => {
    current ??= { text: "", line };
    current.text += characters;
  };
  const finish = (): void => {
    if (current !== undefined) words.push(current);
    current = undefined;
  };
  for (let index = 0; index < text.length; index++) {
    const character = text[index]!;
    if (character === "\\" && quote !== "'") {
      if (text[index + 1] === "\n" || (text[index + 1] === "\r" && text[index + 2] === "\n")) {
        index += text[index + 1] === "\r" ? 2 : 1;
        line++;
        if (quote === undefined) finish();
      } else add(text[++index] ?? "");
    } else if (character === "$" && quote !== "'") {
      const written = expansionAt(text, index);
      add(expand(written, variables));
      index += written.length - 1;
    } else if (quote !== undefined) {
      if (character === quote) quote = undefined;
      else add(character);
      if (character === "\n") line++;
    } else if (character === "'" || character === '"') {
      quote = character;
      current ??= { text: "", line };
    } else if (character === "#" && current === undefined) {
      while (index + 1 < text.length && text[index + 1] !== "\n") index++;
    } else if (/\s/.test(character) || character === ";") {
      finish();
      if (character === "\n" || character === ";") {
        remember(words, variables);
        words.push({ text: "\n", line });
      }
      if (character === "\n") line++;
    } else add(character);
  }
  finish();
  return words;
}
