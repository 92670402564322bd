/** The text that the page is made of: payloads, then hooks. `read` reads a file of the repository. */
export function hookSource(read) {
  return `${read("packages/core/src/api/contexts.ts")}\n${read("packages/core/src/api/hooks.ts")}`;
}

/**
 * `docs/hooks.md` from the doc blocks of `packages/core/src/api/contexts.ts` and `hooks.ts`. Throws where a hook or a
 * payload's field has none: a hook arrives with its doc block.
 * @param {string} source
 */
export function hooksPage(source) {
  const body = source.slice(source.indexOf("function makeHooks()"));
  const hooks = [
    ...body.matchAll(/(?:\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\s*)?(\w+): new (\w+)<([\s\S]*?)>\(\[([^\]]*)\]\)/g),
  ].map(([, doc, name, type, types, names]) => {
    if (doc === undefined) throw new Error(`The hook ${name} has no doc block in packages/core/src/api/hooks.ts.`);
    const { lists, result } = splitTypes(types);
    const parameters = names
      .split(",")
      .map((parameter) => parameter.trim().replaceAll('"', ""))
      .filter(Boolean);
    return {
      name,
      type,
      doc: text(doc),
      parameters: parameters.map((parameter, index) => ({ name: parameter, type: lists[index] })),
      result,
    };
  });
  const payloads = [
    ...source
      .slice(0, source.indexOf("function makeHooks()"))
      .matchAll(
        new RegExp(
          String.raw`(?:/\*\*((?:(?!\*/)[\s\S])*)\*/\s*)?export interface (\w+)(?: extends ([^{]+?))? \{` +
            String.raw`([^\n]*|[\s\S]*?\n)\}(?=\n|$)`,
          "g",
        ),
      ),
  ].map(([, doc, name, base, fields]) => ({
    name,
    base,
    doc: doc === undefined ? "" : text(doc),
    fields: fieldsOf(fields),
  }));
  return (
    [
      "# Hooks",
      "",
      "<!-- Generated from packages/core/src/api/hooks.ts by `node scripts/docs.mjs`. Edit the doc blocks there. -->",
      "",
      "Every extension point of the trainer, in firing order: `trainer.hooks.NAME`. They are " +
        "[tapable](https://github.com/webpack/tapable) hooks:",
      "",
      "- `Sync…` hooks are tapped with `tap(NAME, function)`, `Async…` ones with `tapPromise(NAME, function)`; " +
        "an async function given to `tap` is an error.",
      "- A **waterfall** tap gets the value and returns it, changed or not. A **bail** tap returns `undefined` " +
        "for no opinion; any other value is the answer and ends the hook.",
      "- Taps run in order of `stage` (`STAGE_EARLY`, `STAGE_DEFAULT`, `STAGE_LATE`), then in the order in which " +
        "plugins are listed.",
      "- Core owns the tensors in a payload, unless a hook says otherwise: read them, do not dispose them.",
      "",
      "[Write a plugin](write-a-plugin.md) shows them at work.",
      "",
      "| hook | class | when, and what for |",
      "| --- | --- | --- |",
      ...hooks.map((hook) => `| [\`${hook.name}\`](#${hook.name.toLowerCase()}) | \`${hook.type}\` | ${hook.doc} |`),
      "",
      ...hooks.flatMap((hook) => [
        `## ${hook.name}`,
        "",
        hook.doc,
        "",
        `- class: \`${hook.type}\``,
        ...hook.parameters.map((parameter) => `- \`${parameter.name}\`: ${typeText(parameter.type)}`),
        ...(hook.parameters.length === 0 ? ["- no parameters"] : []),
        ...(hook.result === undefined ? [] : [`- answer: ${typeText(hook.result)}`]),
        "",
      ]),
      "# Payloads",
      "",
      ...payloads.flatMap((payload) => [
        `## ${payload.name}`,
        "",
        ...(payload.doc === "" ? [] : [payload.doc, ""]),
        ...(payload.base === undefined ? [] : [`Everything of ${typeText(payload.base)}, and:`, ""]),
        ...payload.fields.map(
          (field) => `- \`${field.name}\`: ${typeText(field.type)}${field.doc === "" ? "" : `. ${field.doc}`}`,
        ),
        "",
      ]),
    ]
      .join("\n")
      .trimEnd() + "\n"
  );

  /** Types as code; those with a section of their own as a link. */
  function typeText(type) {
    const code = `\`${type.replace(/\s+/g, " ").trim()}\``;
    const own = payloads.find((payload) => new RegExp(`\\b${payload.name}\\b`).test(type));
    return own === undefined ? code : `${code} ([${own.name}](#${own.name.toLowerCase()}))`;
  }
}

/** Comment text on one line. */
function text(comment) {
  return comment
    .replace(/^\s*\*\s?/gm, "")
    .replace(/\s+/g, " ")
    .trim()
    .replace(/\|/g, "\\|");
}

/** `[A, B<C, D>], R` to the types in the list and the result. */
function splitTypes(types) {
  const parts = splitAtCommas(types);
  return { lists: splitAtCommas(parts[0].trim().replace(/^\[|\]$/g, "")), result: parts[1]?.trim() };
}

function splitAtCommas(types) {
  const parts = [""];
  let depth = 0;
  for (const character of types.replaceAll("=>", "\u0001")) {
    if ("<[{(".includes(character)) depth += 1;
    if (">]})".includes(character)) depth -= 1;
    if (character === "," && depth === 0) parts.push("");
    else parts[parts.length - 1] += character;
  }
  return parts.map((part) => part.replaceAll("\u0001", "=>").trim()).filter((part) => part !== "");
}

/** Fields of an interface's body: doc block, name and type, which may go over several lines. */
function fieldsOf(body) {
  return splitFields(body).flatMap((field) => {
    const [, doc, rest] = /^(?:\/\*\*([\s\S]*?)\*\/\s*)?([\s\S]*)$/.exec(field);
    const [, name, type] = /^(?:readonly )?(\w+\??)([\s\S]*)$/.exec(rest) ?? [];
    if (name === undefined) return [];
    return {
      name: name + (type.startsWith("(") ? "()" : ""),
      type: type
        .replace(/\s+/g, " ")
        .replace(/ ?([<>]) ?/g, "$1")
        .replace(/,? ?>/g, ">")
        .replace(/=>(?=\S)/g, " => ")
        .replace(/^: /, "")
        .replace(/^(\(.*\)): /, "$1 => "),
      doc: doc === undefined ? "" : text(doc),
    };
  });
}

/** The body cut at semicolons that stand in no bracket and no comment. */
function splitFields(body) {
  const fields = [""];
  let depth = 0;
  for (const [token] of body.replaceAll("=>", "\u0001").matchAll(/\/\*[\s\S]*?\*\/|[\s\S]/g)) {
    if ("<[{(".includes(token)) depth += 1;
    if (">]})".includes(token)) depth -= 1;
    if (token === ";" && depth === 0) fields.push("");
    else fields[fields.length - 1] += token;
  }
  return fields.map((field) => field.replaceAll("\u0001", "=>").trim()).filter((field) => field !== "");
}
