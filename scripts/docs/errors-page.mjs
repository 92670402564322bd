/**
 * `docs/errors.md` from every package's `errors.ts` (or folder `errors`): code, doc block and message of each function
 * that makes an error. Throws where a function has no doc block, or where two packages use one code.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { root } from "../prepare.mjs";

/** Package name to the text of its errors: errors.ts, or the files of a folder errors. */
export function errorSources() {
  const texts = readdirSync(`${root}/packages`).flatMap((folder) => {
    const source = `${root}/packages/${folder}/src`;
    const files = existsSync(`${source}/errors`)
      ? readdirSync(`${source}/errors`).map((name) => `errors/${name}`)
      : ["errors.ts"];
    const own = files.filter((file) => file.endsWith(".ts") && existsSync(`${source}/${file}`));
    return own.length === 0 ? [] : [[`@thaw/${folder}`, own.map((file) => readFileSync(`${source}/${file}`, "utf8"))]];
  });
  return new Map(texts.map(([name, parts]) => [name, parts.join("\n")]));
}

/** Every code with what is said about it, sorted; `sources` is package name to the text of its errors.ts. */
export function errorCodes(sources) {
  const codes = new Map();
  for (const [name, source] of sources) {
    for (const { code, doc, message } of errorsOf(name, source)) {
      const known = codes.get(code) ?? { code, package: name, docs: [], messages: [] };
      if (known.package !== name) throw new Error(`The code ${code} is used by ${known.package} and ${name}.`);
      if (!known.docs.includes(doc)) known.docs.push(doc);
      if (!known.messages.includes(message)) known.messages.push(message);
      codes.set(code, known);
    }
  }
  return [...codes.values()].sort((left, right) => (left.code < right.code ? -1 : 1));
}

/** @param {ReadonlyMap<string, string>} sources */
export function errorsPage(sources) {
  const codes = errorCodes(sources);
  const sections = [...sources.keys()].flatMap((name) => {
    const rows = codes
      .filter((one) => one.package === name)
      .map(({ code, docs, messages }) => `| \`${code}\` | ${docs.join(" ")} | ${messages.join("<br>")} |`);
    return ["", `## ${name}`, "", "| code | what | what it says, and what to do |", "| --- | --- | --- |", ...rows];
  });
  return [
    "# Errors",
    "",
    "<!-- Generated from every package's errors.ts by `node scripts/docs.mjs`. Edit the doc blocks and messages " +
      "there. -->",
    "",
    "Every error that Thaw throws on purpose is a `ThawError`: `code` is stable and never used for anything " +
      "else, `details` holds the message's facts as data, `cause` the error",
    "behind it. A message says what is wrong, where, and what to do. Facts of the case stand in {braces} here. " +
      "What is wrong with a config or plan is not an error of this kind but a",
    "finding, all of them at once: see [the rules](rules/README.md). An error in a plugin's tap is " +
      "`THAW_CORE_PLUGIN_FAILED`, or keeps its own code where it is a `ThawError`, and",
    "names plugin, hook and step in `details`.",
    ...sections,
    "",
  ].join("\n");
}

/** The functions of one errors.ts that make an error. */
function errorsOf(name, source) {
  return [
    ...source.matchAll(/(?:\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\s*)?export function (\w+)\([\s\S]*?\n\}(?=\n|$)/g),
  ].flatMap(([text, doc, fn]) => {
    const start = text.search(/(?:make|new (?:ThawError|AutogradError))\(/);
    const codes = [...text.slice(Math.max(start, 0)).matchAll(/"(THAW_[A-Z0-9_]+)"/g)];
    if (start < 0 || codes.length === 0) return [];
    if (doc === undefined) throw new Error(`${fn} in the errors.ts of ${name} has no doc block.`);
    const last = codes.at(-1);
    const message = literalText(text.slice(start + last.index + last[0].length));
    return codes.map(([, code]) => ({ code, doc: oneLine(doc), message }));
  });
}

/** The strings and templates at the beginning of the code, joined as `+` joins them, facts in braces. */
function literalText(code) {
  let rest = code.replace(/^[\s,]*/, "");
  let text = "";
  for (;;) {
    const read = rest[0] === "`" ? readTemplate(rest) : rest[0] === '"' ? readString(rest) : undefined;
    if (read === undefined) return cell(text);
    text += read.text;
    rest = rest.slice(read.length).replace(/^\s*\+?\s*/, "");
  }
}

function readString(code) {
  const [text] = /^"(?:[^"\\]|\\.)*"/.exec(code);
  return { text: JSON.parse(text), length: text.length };
}

function readTemplate(code) {
  let text = "";
  for (let index = 1; index < code.length; index++) {
    if (code[index] === "`") return { text, length: index + 1 };
    if (code[index] === "\\") text += code[++index] === "n" ? " " : code[index];
    else if (code.startsWith("${", index)) {
      const end = closingBrace(code, index + 2);
      text += `{${factName(code.slice(index + 2, end))}}`;
      index = end;
    } else text += code[index];
  }
  throw new Error(`A template does not end: ${code.slice(0, 60)}`);
}

function closingBrace(code, from) {
  let depth = 1;
  for (let index = from; index < code.length; index++) {
    if (code[index] === "{") depth += 1;
    if (code[index] === "}" && --depth === 0) return index;
  }
  throw new Error(`A brace does not close: ${code.slice(from, from + 60)}`);
}

/**
 * `facts.backend` is backend, `nameList(names)` names, `JSON.stringify(value)` value, `missing.length === 1 ? ...`
 * missing.
 */
function factName(expression) {
  const inner = /^[\w.]*\(([\w.]+)/.exec(expression)?.[1] ?? expression;
  const words = (/^[\w.]+/.exec(inner)?.[0] ?? "what")
    .split(".")
    .filter((word) => !["facts", "length", "join", "map", "slice", "trimEnd"].includes(word));
  return words.at(-1) ?? "what";
}

function oneLine(comment) {
  return cell(
    comment
      .replace(/^\s*\*\s?/gm, "")
      .replace(/\s+/g, " ")
      .trim(),
  );
}

function cell(text) {
  return text.replace(/\s+/g, " ").replaceAll("|", "\\|").replaceAll("<", "&lt;").replaceAll(">", "&gt;").trim();
}
