/** Endings that are words of their own. */
const CLITIC = /^(.+?)(n't|'(?:s|re|ve|ll|d|m))$/u;

/** Words that are two. */
const PAIRS: Readonly<Record<string, readonly [string, string]>> = {
  cannot: ["can", "not"],
  gimme: ["gim", "me"],
  gonna: ["gon", "na"],
  gotta: ["got", "ta"],
  lemme: ["lem", "me"],
  wanna: ["wan", "na"],
};

const BRACKETS: Readonly<Record<string, string>> = {
  "(": "-lrb-",
  ")": "-rrb-",
  "[": "-lsb-",
  "]": "-rsb-",
  "{": "-lcb-",
  "}": "-rcb-",
};

/** A number, a word (with hyphens, slashes, dots and apostrophes inside), or one sign. */
const TOKEN = /\d+(?:[.,:/-]\d+)*(?![\p{L}\p{M}\p{N}])|[\p{L}\p{M}\p{N}]+(?:[-'./_][\p{L}\p{M}\p{N}]+)*|\S/gu;

const LEFT_OUT = new Set([".", "?", "!", ",", ":", "-", ";", "'", "`", '"', "…", "–", "—"]);

/**
 * Words of a caption as pycocoevalcap's PTBTokenizer gives them (Stanford CoreNLP 3.4.1, lower case, without
 * punctuation). Rules for plain sentences: abbreviations lose their full stop here.
 */
export function captionWords(text: string): string[] {
  const plain = text.toLowerCase().replaceAll(/[‘’]/g, "'").replaceAll(/[“”]/g, '"');
  return (plain.match(TOKEN) ?? [])
    .filter((token) => !LEFT_OUT.has(token))
    .flatMap((token) => {
      const clitic = CLITIC.exec(token);
      return clitic === null ? (PAIRS[token] ?? [BRACKETS[token] ?? token]) : [clitic[1]!, clitic[2]!];
    });
}
