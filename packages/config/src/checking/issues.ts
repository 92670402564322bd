import { cut, toSnakeCase, type Edit, type Finding, type StandardSchema } from "@thaw/core";
import { isSnake, nearestName } from "../words/keys.js";
import { knownKeys, variants, type Shape } from "./shape.js";
import { nodeAt, placeOf, plainValue, settingOf, type ConfigNode } from "../words/tree.js";

/** A problem that a schema found, at a path of normal keys. */
export interface Issue {
  readonly path: readonly PropertyKey[];
  readonly message: string;
  /** Of unknown keys. */
  readonly keys?: readonly string[];
  /** Of wrong types and values: what is allowed, in words. */
  readonly expected?: string;
}

/** All issues of a value; empty where it is valid. Schemas must be synchronous. */
export function issuesOf(schema: StandardSchema, value: unknown): readonly Issue[] {
  const result = schema["~standard"].validate(value);
  if (result instanceof Promise)
    return [{ path: [], message: "its schema is asynchronous, which a config cannot use" }];
  return (result.issues ?? []).flatMap((issue) => flatten(issue as RawIssue, value));
}

interface RawIssue {
  readonly code?: string;
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[];
  readonly errors?: readonly (readonly RawIssue[])[];
  readonly keys?: readonly string[];
  readonly expected?: string;
  readonly values?: readonly unknown[];
  /** What a union's discriminator may be. */
  readonly options?: readonly unknown[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly inclusive?: boolean;
  readonly origin?: string;
}

function flatten(issue: RawIssue, root: unknown, prefix: readonly PropertyKey[] = []): readonly Issue[] {
  const path = [
    ...prefix,
    ...(issue.path ?? []).map((segment) => (typeof segment === "object" ? segment.key : segment)),
  ];
  if (issue.code === "invalid_union" && issue.errors !== undefined && issue.errors.length > 0) {
    const value = path.reduce<unknown>((at, key) => (at as Record<PropertyKey, unknown> | undefined)?.[key], root);
    const branches = issue.errors.filter((branch) => branch.length > 0 && !isOtherType(branch, value));
    const best = [...branches].sort((left, right) => rank(left, value) - rank(right, value))[0];
    if (best !== undefined) return best.flatMap((inner) => flatten(inner, root, path));
    return [
      {
        path,
        message: issue.message,
        expected: [...new Set(issue.errors.flatMap((branch) => branch.map(expectation)))].join(" or "),
      },
    ];
  }
  if (issue.code === "unrecognized_keys") return [{ path, message: issue.message, keys: issue.keys ?? [] }];
  return [{ path, message: issue.message, expected: expectation(issue) }];
}

/** A branch that expects a string where a mapping stands (or the other way round) was not meant. */
function isOtherType(branch: readonly RawIssue[], value: unknown): boolean {
  const first = branch[0];
  if (first === undefined || (first.path?.length ?? 0) > 0) return false;
  if (first.code === "invalid_type") return true;
  return first.code === "invalid_value" && typeof value !== typeof first.values?.[0];
}

/** The wrong `type` constant ranks last, and the want of any: the branch that was meant has the right one. */
function rank(branch: readonly RawIssue[], value: unknown): number {
  return branch.length + (branch.some((issue) => isOtherVariant(issue, value)) ? 1000 : 0);
}

/** A mapping without the `type` that a union is told apart by may be one by names. */
function isOtherVariant({ code, path = [], values, errors }: RawIssue, value: unknown): boolean {
  if (code === "invalid_value") return path.at(-1) === "type" && values?.length === 1;
  if (code !== "invalid_union" || typeof value !== "object" || value === null) return false;
  if (path.length === 1) return path[0] === "type" && !("type" in value);
  const branches = path.length === 0 ? (errors ?? []).filter((branch) => !isOtherType(branch, value)) : [];
  return branches.length > 0 && branches.every((branch) => branch.some((issue) => isOtherVariant(issue, value)));
}

function expectation(issue: RawIssue): string {
  switch (issue.code) {
    case "invalid_type":
      return withArticle(issue.expected ?? "another type");
    case "invalid_value":
      return oneOf(issue.values ?? []);
    case "invalid_union":
      return issue.options === undefined ? wordsOf(issue) : oneOf(issue.options.filter((one) => one !== undefined));
    case "too_small":
      return sizeWords(issue, issue.inclusive === false ? "more than" : "at least", issue.minimum);
    case "too_big":
      return sizeWords(issue, issue.inclusive === false ? "less than" : "at most", issue.maximum);
    default:
      return wordsOf(issue);
  }
}

function wordsOf({ message }: RawIssue): string {
  return message.replace(/\.$/, "").replace(/^Invalid input: expected /, "");
}

function sizeWords(issue: RawIssue, words: string, bound: number | undefined): string {
  const unit = issue.origin === "string" ? " characters" : issue.origin === "array" ? " items" : "";
  return issue.origin === "string" && bound === 1
    ? "a text that is not empty"
    : `${unit === "" ? "a number of " : ""}${words} ${bound}${unit}`;
}

function withArticle(type: string): string {
  const words: Record<string, string> = {
    int: "whole number",
    record: "mapping",
    object: "mapping",
    array: "list",
    string: "text",
    boolean: "true or false",
  };
  const word = words[type] ?? type;
  return word === "true or false" ? word : `a ${word}`;
}

/** Issues of a section as findings of the rule `config`, in the user's spelling, with place, fix and near names. */
export function issueFindings(root: ConfigNode, issue: Issue): readonly Finding[] {
  const { node, rest } = nodeAt(root, issue.path);
  if (issue.keys !== undefined) return unknownKeys(node, issue.keys);
  const where = [...node.path, ...rest.map(String)].join(".") || "the config";
  if (rest.length > 0) {
    const last = String(rest.at(-1));
    return [
      finding(
        node,
        `${where} is missing (${placeOf(node)}).`,
        `Add ${last}${issue.expected === undefined ? "" : `, ${issue.expected}`}.`,
      ),
    ];
  }
  const value = plainValue(node);
  const near = typeof value === "string" ? wordFor(value, node.shape) : undefined;
  const fix =
    near !== undefined ? `Write ${near}.` : issue.expected === undefined ? "Correct it." : `Give ${issue.expected}.`;
  return [
    finding(
      node,
      `${where} is ${describe(value)}, but ${issue.expected ?? issue.message} is expected (${placeOf(node, "value")}).`,
      fix,
      "value",
    ),
  ];
}

/** What a person can read; each costs a search for the nearest known key. */
const MAX_UNKNOWN = 20;

/** Unknown keys of a mapping: the first ones one by one, the others as a number. */
export function unknownKeys(
  parent: ConfigNode,
  keys: readonly string[],
  extraKnown: readonly string[] = [],
): readonly Finding[] {
  const findings = keys.slice(0, MAX_UNKNOWN).map((key) => unknownKey(parent, key, extraKnown));
  const more = keys.length - findings.length;
  const where = parent.path.join(".") || "the config";
  return more <= 0
    ? findings
    : [...findings, finding(parent, `${where} has ${more} more unknown keys (${placeOf(parent)}).`, "Remove them.")];
}

/** An unknown key of a mapping, with the nearest known one in the user's own spelling style. */
function unknownKey(parent: ConfigNode, key: string, extraKnown: readonly string[]): Finding {
  const child = parent.children?.get(key);
  const spelling = child?.path.at(-1) ?? key;
  const known = [...knownKeys(parent.shape, parent.children?.get("type")?.value), ...extraKnown].filter(
    (name) => !name.startsWith("$"),
  );
  const style = usesSnake(parent, spelling) ? toSnakeCase : (name: string) => name;
  const near = nearestName(spelling, known);
  const where = parent.path.length === 0 ? "at the top level" : `in ${parent.path.join(".")}`;
  const fix =
    near !== undefined
      ? `Write ${style(near)}.`
      : known.length > 0
        ? `Known there: ${known.map(style).join(", ")}.`
        : "Remove it.";
  const nearest = near === undefined ? "" : ` The nearest known key is ${style(near)}.`;
  const file = child?.layer.origin === "explicit" ? child.layer.file : undefined;
  const edit: Edit | undefined =
    near === undefined || file === undefined
      ? undefined
      : { action: "rename", file, path: child!.path.join("."), name: style(near) };
  return {
    ...finding(child ?? parent, `Unknown key ${cut(spelling)} ${where} (${placeOf(child ?? parent)}).${nearest}`, fix),
    ...(edit === undefined ? {} : { edit }),
  };
}

/** A finding of the rule `config` about a node. */
export function finding(node: ConfigNode, message: string, fix: string, part: "key" | "value" = "key"): Finding {
  return {
    rule: "config",
    severity: "error",
    message,
    fix,
    settings: [settingOf(node, part)],
  };
}

function usesSnake(parent: ConfigNode, key: string): boolean {
  const isCamel = (name: string): boolean => /[a-z0-9][A-Z]/.test(name) && !isSnake(name);
  const spellings = [...(parent.children ?? [])]
    .map(([, child]) => child.path.at(-1) ?? "")
    .filter((name) => name !== key);
  if (isSnake(key) || isCamel(key)) return isSnake(key);
  if (spellings.some(isSnake) || spellings.some(isCamel)) return spellings.some(isSnake);
  return /\.(ya?ml|json)$|rc$/.test(parent.layer.file ?? "");
}

/** The allowed word that a text stands for, or is most like. */
function wordFor(text: string, shape: Shape | undefined): string | undefined {
  const synonyms = variants(shape).flatMap((variant) => variant.synonyms?.[text.toLowerCase()] ?? []);
  return synonyms[0] ?? nearestName(text, allowedWords(shape));
}

function allowedWords(shape: Shape | undefined): readonly string[] {
  return variants(shape)
    .flatMap((variant) => [...(variant.enum ?? []), ...(variant.const === undefined ? [] : [variant.const])])
    .filter((word): word is string => typeof word === "string");
}

function describe(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object") return "a mapping";
  const text = JSON.stringify(value) ?? "code";
  return (
    `${text.length > 60 ? `${text.slice(0, 57)}...` : text} (a ` +
    `${typeof value === "string" ? "text" : typeof value})`
  );
}

function oneOf(values: readonly unknown[]): string {
  return `${values.length > 1 ? "one of " : ""}${values.map((value) => JSON.stringify(value)).join(", ")}`;
}
