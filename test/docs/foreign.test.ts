import { readFileSync } from "node:fs";
import { join } from "node:path";
import { convertForeign, readForeign } from "@thaw/config";
import { expect, describe, it } from "vitest";
import { parse } from "yaml";
import { root } from "./blocks.js";

const MODEL = join(root, "examples/emoji-captioner/checkpoint");

/** Rows of the page's tables: heading, what stands in code in each of the two cells. */
function rowsOf(
  page: string,
): readonly { readonly heading: string; readonly theirs: string[]; readonly ours: string[] }[] {
  const rows = [];
  let heading = "";
  for (const line of readFileSync(join(root, "docs", page), "utf8").split("\n")) {
    if (line.startsWith("## ")) heading = line.slice(3);
    const cells = /^\| (`.*) \| (.*) \|$/u.exec(line);
    if (cells === null) continue;
    const code = (cell: string): string[] => [...cell.matchAll(/`([^`]+)`/gu)].map((match) => match[1]!);
    rows.push({ heading, theirs: code(cells[1]!), ours: code(cells[2]!) });
  }
  return rows;
}

/** `a.b.c: value` of every leaf. */
function flat(value: unknown, path = ""): readonly string[] {
  if (typeof value !== "object" || value === null) return [`${path}: ${String(value)}`];
  return Object.entries(value).flatMap(([key, inner]) => flat(inner, path === "" ? key : `${path}.${key}`));
}

const PAGES = {
  "from-llama-factory.md": (rows: readonly string[]) => {
    const type = rows.some((row) => row.startsWith("finetuning_type")) ? [] : ["finetuning_type: full"];
    const text = [`model_name_or_path: ${MODEL}`, "stage: sft", "do_train: true", ...type, ...rows].join("\n");
    return readForeign(text, join(root, "theirs.yaml"));
  },
  "from-ms-swift.md": (rows: readonly string[]) => {
    const type = rows.some((row) => row.startsWith("--train_type")) ? "" : "--train_type full ";
    return readForeign(`swift sft --model ${MODEL} ${type}${rows.join(" ")}\n`, join(root, "theirs.sh"));
  },
};

describe.each(Object.entries(PAGES))("docs/%s", (page, read) => {
  const rows = rowsOf(page);
  const kept = rows.filter(({ heading }) => heading !== "What is not carried over");

  it("has rows of both kinds", () => {
    expect(kept.length).toBeGreaterThan(15);
    expect(rows.length).toBeGreaterThan(kept.length + 1);
  });

  it.each(kept.map(({ theirs, ours }) => [theirs, ours] as const))("%j becomes %j", (theirs, ours) => {
    const foreign = read(theirs)!;
    expect(foreign.findings.filter(({ severity }) => severity === "error")).toEqual([]);
    expect(flat(parse(convertForeign(foreign, (given) => given)))).toEqual(expect.arrayContaining([...ours]));
  });

  it.each(rows.filter((row) => !kept.includes(row)).map(({ theirs }) => theirs))("leaves %s out", (theirs) => {
    const text = convertForeign(read([theirs])!, (given) => given);
    const key = theirs.replace(/[: ].*$/u, "");
    expect(text.slice(text.indexOf("# Not carried over:"))).toContain(`# ${key}: `);
  });
});
