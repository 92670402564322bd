import { parseJson, shown, type SampleChoices } from "@thaw/contracts";
import { sampleInvalid } from "../errors/samples.js";
import type { JsonRecord } from "../records/records.js";

type Value = JsonRecord["value"];

/** How a question with choices is asked: they are listed and a letter is answered, or it stands alone. */
export type ChoiceStyle = "letters" | "texts";

/** What LLaVA-1.5 was trained to read behind listed choices (arXiv:2310.03744, table 7). */
const LETTER_WANTED = "Answer with the option's letter from the given choices directly.";

/** A list that a cell of text has as JSON; other values as they are. @throws THAW_DATA_SAMPLE_INVALID */
function unpacked(value: unknown, name: string, origin: string): unknown {
  if (typeof value !== "string" || !value.trimStart().startsWith("[")) return value;
  try {
    return parseJson(value);
  } catch {
    throw sampleInvalid(origin, `"${name}" is ${shown(value)}, which is not valid JSON.`, "Write it as a JSON list.");
  }
}

function isText(value: unknown): value is string | number | boolean {
  return typeof value === "string" || typeof value === "number" || typeof value === "boolean";
}

/** One answer: a text, a number, or VQA's `{ answer, answer_id, answer_confidence }`. */
function answerText(value: unknown): string | undefined {
  if (isText(value)) return String(value).trim();
  if (typeof value !== "object" || value === null) return undefined;
  const { answer, text } = value as Value;
  return isText(answer) ? answerText(answer) : isText(text) ? answerText(text) : undefined;
}

/**
 * All answers that count as right: a text, a list (also as JSON in a cell of a table), VQA's list of `{ answer }`, or
 * SQuAD's and Hugging Face's one list per key, `{ text: [...] }`. Undefined where there are none.
 * @throws THAW_DATA_SAMPLE_INVALID
 */
export function answersIn(given: unknown, name: string, origin: string): readonly string[] | undefined {
  const value = unpacked(given, name, origin);
  if (value === undefined || value === null) return undefined;
  const { answer, text } = typeof value === "object" ? (value as Value) : {};
  const list = Array.isArray(value) ? value : Array.isArray(answer) ? answer : Array.isArray(text) ? text : [value];
  const answers = list.map((one) => {
    const said = answerText(one);
    if (said === undefined)
      throw sampleInvalid(origin, `"${name}" holds ${shown(one)}.`, 'Give texts, or { "answer": text } each.');
    return said;
  });
  return answers.length === 0 ? undefined : answers;
}

/**
 * The answer that is learned of several: the most frequent one, as VQAv2's `multiple_choice_answer`, on which LLaVA-1.5
 * and others train; of equals the first. Undefined where all are empty.
 */
export function learnedOf(answers: readonly string[]): string | undefined {
  const counts = new Map<string, number>();
  for (const answer of answers) if (answer !== "") counts.set(answer, (counts.get(answer) ?? 0) + 1);
  const most = Math.max(...counts.values());
  return [...counts].find(([, count]) => count === most)?.[0];
}

/** Choices as a record has them: what each says, and what `answer` may call it beside A, B, ... */
interface Choices {
  readonly texts: readonly string[];
  readonly labels: readonly string[];
}

/**
 * `choices` or `options`: a list of texts (also as JSON in a cell), `{ A: text, B: text }`, or ARC's `{ label: [...],
 * text: [...] }`. Undefined where there are none. @throws THAW_DATA_SAMPLE_INVALID
 */
function choicesIn(value: Value, origin: string): Choices | undefined {
  const name = value["choices"] === undefined || value["choices"] === null ? "options" : "choices";
  const given = unpacked(value[name], name, origin);
  if (given === undefined || given === null || (Array.isArray(given) && given.length === 0)) return undefined;
  const pairs = Array.isArray(given) ? given.map((text): [unknown, unknown] => ["", text]) : pairsOf(given);
  if (pairs === undefined || !pairs.every(([, text]) => isText(text)) || pairs.length < 2)
    throw sampleInvalid(origin, `"${name}" is ${shown(given)}.`, "Give at least two texts as a list.");
  return { texts: pairs.map(([, text]) => String(text).trim()), labels: pairs.map(([label]) => String(label)) };
}

function pairsOf(given: unknown): readonly (readonly [unknown, unknown])[] | undefined {
  if (typeof given !== "object" || given === null) return undefined;
  const { label, text } = given as Value;
  if (!Array.isArray(text)) return Object.entries(given);
  return text.map((one, at) => [Array.isArray(label) ? label[at] : "", one]);
}

function letterOf(index: number): string {
  return String.fromCodePoint("A".codePointAt(0)! + index);
}

/** Which choice an answer means: its text, its label, its letter (`B`, `(b)`, `B.`), or its number from 0. */
function choiceOf(answer: unknown, { texts, labels }: Choices): { readonly index: number; readonly isText: boolean } {
  if (typeof answer === "number") return { index: Number.isInteger(answer) ? answer : -1, isText: false };
  const said = typeof answer === "string" ? answer.trim() : "";
  if (texts.includes(said)) return { index: texts.indexOf(said), isText: true };
  if (said !== "" && labels.includes(said)) return { index: labels.indexOf(said), isText: false };
  const letter = /^\(?([A-Za-z])[).:]?$/.exec(said)?.[1];
  if (letter !== undefined) return { index: letter.toUpperCase().codePointAt(0)! - 65, isText: false };
  return { index: /^\d+$/.test(said) ? Number(said) : -1, isText: false };
}

/** What a record says of its answers beside its turns. */
export interface Judged {
  /** Closes a conversation that ends with a question. */
  readonly answer?: string;
  readonly references?: readonly string[];
  readonly choices?: SampleChoices;
}

/**
 * Reads `answers`, `answer`, and `choices` or `options`, of a conversation whose last turn says `said`, or ends with a
 * question. `style`: how the right choice is written then; undefined: as the record names it.
 * @throws THAW_DATA_SAMPLE_INVALID
 */
export function judgedBy(
  value: Value,
  said: string | undefined,
  style: ChoiceStyle | undefined,
  origin: string,
): Judged {
  const choices = choicesIn(value, origin);
  if (choices !== undefined) return ofChoices({ value, choices, style }, said, origin);
  const name = value["answers"] === undefined || value["answers"] === null ? "answer" : "answers";
  if (name === "answer" && said !== undefined) return {};
  const all = answersIn(value[name], name, origin);
  if (all === undefined) return {};
  const references = all.length > 1 || name === "answers" ? { references: all } : {};
  if (said !== undefined) return references;
  const own = name === "answers" && isText(value["answer"]) ? String(value["answer"]).trim() : "";
  const answer = own === "" ? learnedOf(all) : own;
  if (answer === undefined) throw sampleInvalid(origin, `Each of "${name}" is empty.`, "Leave the sample out.");
  return { answer, ...references };
}

interface Chosen {
  readonly value: Value;
  readonly choices: Choices;
  readonly style: ChoiceStyle | undefined;
}

function ofChoices({ value, choices, style }: Chosen, said: string | undefined, origin: string): Judged {
  const given = said ?? value["answer"];
  const { index, isText: isWhole } = choiceOf(given, choices);
  const { texts } = choices;
  if (index < 0 || index >= texts.length)
    throw sampleInvalid(
      origin,
      `The answer ${shown(given)} is none of the ${texts.length} choices.`,
      "Give its text, its letter, or its number from 0.",
    );
  const isNamed = typeof given === "string" && !isWhole;
  const isLettered = said === undefined && style !== undefined ? style === "letters" : isNamed;
  const written = (at: number): string => {
    if (said === undefined) return letterOf(at);
    return choices.labels.includes(said.trim()) ? choices.labels[at]! : rewritten(said, at);
  };
  const answers = texts.map((text, at) => (isLettered ? written(at) : text));
  return {
    ...(said === undefined ? { answer: answers[index]! } : {}),
    choices: { texts, answers, right: index },
  };
}

/** Another choice in the form of an answer: `(B)` for `(A)`, `b.` for `a.`, `2` for `1`. */
function rewritten(said: string, index: number): string {
  return said
    .trim()
    .replace(/[A-Za-z]|\d+/, (name) =>
      /\d/.test(name) ? String(index) : name === name.toLowerCase() ? letterOf(index).toLowerCase() : letterOf(index),
    );
}

/** A question with its choices beneath it, as LLaVA-1.5 asks; the question alone where it has none. */
export function listChoices(question: string, value: Value, origin: string): string {
  const choices = choicesIn(value, origin);
  if (choices === undefined) return question;
  return [question, ...choices.texts.map((text, at) => `${letterOf(at)}. ${text}`), LETTER_WANTED].join("\n");
}
