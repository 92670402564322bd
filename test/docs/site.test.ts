import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { reportedPackages } from "../../scripts/api-reports.mjs";
import { root } from "./blocks.js";

const docs = join(root, "docs");
const pages = readdirSync(docs).filter((name) => name.endsWith(".md"));
const read = (path: string): string => readFileSync(join(root, path), "utf8");
/** Made from sources: a reader looks things up there. */
const isGenerated = (page: string): boolean => read(`docs/${page}`).includes("<!-- ");

describe("the site", () => {
  it("has every page in its sidebar, and no page twice", () => {
    const config = read("site/.vitepress/config.mts").replaceAll(/pagesOf\("\w+"\)/gu, "");
    const groups = [...config.matchAll(/group\(\s*"[\w ]+",\s*\[([^\]]+)\]/gu)].map((match) => match[1]!);
    const named = groups.flatMap((group) => [...group.matchAll(/"([\w./-]+)"/gu)].map((match) => `${match[1]!}.md`));
    const internals = readdirSync(join(docs, "internals")).map((name) => `internals/${name}`);
    const rest = named.filter((name) => !name.includes("/"));
    expect(rest.toSorted()).toEqual(pages.toSorted());
    expect(named.filter((name) => name.startsWith("internals/")).sort()).toEqual(internals.sort());
  });

  it.each(pages.filter((page) => !isGenerated(page)))("%s opens with what its reader will be able to do", (page) => {
    const [, ...paragraphs] = read(`docs/${page}`).split("\n\n");
    expect(paragraphs[0]!.split("\n").join(" ")).toMatch(/(At the end of|After) this page|^读完本页/u);
  });

  it("brings nothing into the packages of the repository", () => {
    expect(Object.keys((JSON.parse(read("package-lock.json")) as { packages: object }).packages)).not.toContain(
      "node_modules/vitepress",
    );
    expect(existsSync(join(root, "site/package-lock.json"))).toBe(true);
  });
});

describe("etc", () => {
  it("has a report of what each published package exports", () => {
    const reports = readdirSync(join(root, "etc")).filter((name) => name.endsWith(".api.md"));
    expect(reports.sort()).toEqual((reportedPackages() as string[]).map((name) => `${name}.api.md`).sort());
    for (const report of reports) expect(read(`etc/${report}`)).toContain("```ts");
  });

  it("names a licence for every dependency", () => {
    expect(read("etc/licences.md")).not.toContain("(not stated)");
  });
});
