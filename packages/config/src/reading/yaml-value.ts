import { isAlias, isNode, parseDocument, visit, type Document, type LineCounter, type Node } from "yaml";

/** Deepest nesting of lists and mappings; a config needs ten. */
const MAX_DEPTH = 100;

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
    document = parseDocument(text, { lineCounter, merge: true });
  } catch (cause) {
    return { problems: [{ ...failure(cause), offset: 0 }], value: undefined };
  }
  const problems = document.errors.map(({ code, message, pos }) => ({
    message: firstSentence(message),
    fix: code === "DUPLICATE_KEY" ? "Keep one of the two entries." : "Correct the syntax there.",
    offset: pos[0],
  }));
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
