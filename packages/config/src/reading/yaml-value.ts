import { cut } from "@thaw/core";
import { isAlias, isNode, isScalar, parseDocument, visit, type Document, type LineCounter, type Node } from "yaml";

/** Deepest nesting of lists and mappings; a config needs ten. */
const MAX_DEPTH = 100;
/** What a person can read of doubled keys. */
const MAX_DOUBLED = 20;

/** What makes a text no config, and where it stands. */
export interface YamlProblem {
  readonly message: string;
  readonly fix: string;
  /** In characters, from 0. */
  readonly offset: number;
}

/** YAML or JSON as it was parsed, what is wrong with it, and its value where nothing is. */
export interface ReadYaml {
  readonly document?: Document.Parsed;
  readonly problems: readonly YamlProblem[];
  readonly value: unknown;
}

/** Reads a text that anybody may have written: never throws, and ends soon. */
export function readYaml(text: string, lineCounter: LineCounter): ReadYaml {
  let document: Document.Parsed;
  try {
    // The library looks for doubled keys by comparing each with each.
    document = parseDocument(text, { lineCounter, merge: true, uniqueKeys: false });
  } catch (cause) {
    return { problems: [{ ...failure(cause), offset: 0 }], value: undefined };
  }
  const problems = document.errors.map(({ code, message, pos }): YamlProblem => ({
    message: firstSentence(message),
    fix: SYNTAX_FIXES[code] ?? "Correct the syntax there: a key, a colon and a value per line, indented by spaces.",
    offset: pos[0],
  }));
  if (problems.length === 0) problems.push(...doubledKeys(document));
  if (problems.length > 0) return { document, problems, value: undefined };
  try {
    const unknown = unknownAlias(document);
    if (unknown !== undefined) return { document, problems: [unknown], value: undefined };
    const value: unknown = document.toJS();
    if (isTooDeep(value)) throw new RangeError("too deep");
    return { document, problems, value };
  } catch (cause) {
    return { document, problems: [{ ...failure(cause), offset: 0 }], value: undefined };
  }
}

/** What to do about the commonest mistakes, by the library's codes. */
const SYNTAX_FIXES: Readonly<Record<string, string>> = {
  TAB_AS_INDENT: "Indent by spaces.",
  BAD_INDENT: "Indent what belongs to a key by two spaces more than the key; a brace or bracket needs its end.",
  MISSING_CHAR: "Put in what is missing there: the end of a quote, brace or bracket, or a comma or colon before it.",
  MULTILINE_IMPLICIT_KEY: "Write the key on one line, with a colon and a blank behind it.",
  BLOCK_AS_IMPLICIT_KEY: "Put quotes around a text that holds a colon.",
  UNEXPECTED_TOKEN: "Put quotes around a text that begins with a sign, or take the sign out.",
};

/** A key's text, as a config's paths have it. */
export function keyText(key: unknown): string {
  return isScalar(key) ? String(key.value) : String(key);
}

/** The second of two equal keys of one mapping. */
function doubledKeys(document: Document.Parsed): readonly YamlProblem[] {
  const problems: YamlProblem[] = [];
  visit(document, {
    Map: (_key, map) => {
      const seen = new Set<string>();
      for (const { key } of map.items) {
        const text = keyText(key);
        if (seen.has(text) && text !== "<<")
          problems.push({
            message: `The key ${cut(text)} stands twice in one mapping`,
            fix: "Keep one of the two entries.",
            offset: (key as Node | null)?.range?.[0] ?? 0,
          });
        seen.add(text);
      }
    },
  });
  return problems.slice(0, MAX_DOUBLED);
}

/** An alias (`*name`) before any anchor of its name: most often a pattern that needs quotes. */
function unknownAlias(document: Document.Parsed): YamlProblem | undefined {
  const anchors = new Set<string>();
  let found: YamlProblem | undefined;
  visit(document, (_key, node) => {
    if (!isNode(node)) return undefined;
    if (isAlias(node) && !anchors.has(node.source)) {
      const text = `*${node.source}`;
      found = {
        message: `${text} is an alias in YAML, and no anchor &${node.source} stands before it`,
        fix: `Put quotes around it where it is meant as a text: "${text}".`,
        offset: (node as Node).range?.[0] ?? 0,
      };
      return visit.BREAK;
    }
    if ("anchor" in node && typeof node.anchor === "string") anchors.add(node.anchor);
    return undefined;
  });
  return found;
}

function failure(cause: unknown): Omit<YamlProblem, "offset"> {
  if (cause instanceof RangeError)
    return {
      message: `its lists and mappings are nested more than ${MAX_DEPTH} deep, or hold themselves`,
      fix: "Write it flatter, without aliases that lead back.",
    };
  const message = cause instanceof Error ? cause.message : String(cause);
  return { message: firstSentence(message), fix: "Write out what the aliases stand for." };
}

function isTooDeep(value: unknown): boolean {
  const open: [unknown, number][] = [[value, 0]];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const [node, depth] = next;
    if (typeof node !== "object" || node === null) continue;
    if (depth >= MAX_DEPTH) return true;
    for (const child of Object.values(node)) open.push([child, depth + 1]);
  }
  return false;
}

function firstSentence(message: string): string {
  return (message.split("\n")[0] ?? message).replace(/ at line \d+, column \d+:?$/, "").replace(/[.:]$/, "");
}
