import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { defineConfig, type DefaultTheme } from "vitepress";

const root = fileURLToPath(new URL("../..", import.meta.url));
const docs = join(root, "docs");

const titleOf = (file: string): string => /^# (.*)$/mu.exec(readFileSync(join(docs, file), "utf8"))?.[1] ?? file;
const page = (name: string): DefaultTheme.SidebarItem => ({ text: titleOf(`${name}.md`), link: `/${name}` });
const group = (text: string, names: readonly string[], isOpen = true): DefaultTheme.SidebarItem => ({
  text,
  collapsed: !isOpen,
  items: names.map(page),
});
const pagesOf = (folder: string): readonly string[] =>
  existsSync(join(docs, folder))
    ? readdirSync(join(docs, folder))
        .filter((name) => name.endsWith(".md") && name !== "README.md")
        .map((name) => `${folder}/${basename(name, ".md")}`)
    : [];

/** What typedoc wrote, a page for each package. */
function apiPages(): DefaultTheme.SidebarItem[] {
  const folder = fileURLToPath(new URL("../.pages/api", import.meta.url));
  const names = existsSync(folder) ? readdirSync(folder).map((name) => basename(name, ".md")) : [];
  return names.map((name) => ({ text: `@thaw/${name}`, link: `/api/${name}` }));
}

/** By what a reader does. A test holds that every page is in it. */
const sidebar: DefaultTheme.SidebarItem[] = [
  group("Begin", ["quickstart", "freeze-your-model", "freeze-your-model.zh", "from-llama-factory", "from-ms-swift"]),
  group("Set up a run", ["freezing", "data", "stages", "metrics", "families", "options"]),
  group("Run it", [
    "watching",
    "trackers",
    "backends",
    "several-processes",
    "feature-cache",
    "performance",
    "security",
  ]),
  group("Build on it", [
    "embed",
    "write-a-plugin",
    "add-a-family",
    "add-a-dataset-format",
    "add-a-metric",
    "add-a-tracker",
    "add-an-optimizer",
    "add-a-command",
    "hooks",
  ]),
  group(
    "Look it up",
    ["errors", "architecture", "internals/README", "internals/style", "internals/decisions", "internals/families"],
    false,
  ),
  group("Rules", ["rules/README", ...pagesOf("rules")], false),
  { text: "API", collapsed: true, items: apiPages() },
];

/** True for what the site has: pages, pictures of theirs, and addresses elsewhere. */
function isOnSite(href: string, from: string): boolean {
  if (/^([a-z]+:|#|\/)/u.test(href)) return true;
  const target = relative(docs, resolve(docs, dirname(from), href.split("#")[0]!));
  return /\.(md|svg|png)$/u.test(target) && !target.startsWith("..");
}

export default defineConfig({
  title: "Thaw",
  description: "A trainer for vision-language models, for people who freeze part of the model.",
  srcDir: "./.pages",
  outDir: "./dist",
  cacheDir: "./.cache",
  lastUpdated: false,
  cleanUrls: false,
  markdown: {
    config(md) {
      // What is indented is code that no test runs: commands, mostly
      md.core.ruler.push("indented-code", ({ tokens }) => {
        for (const token of tokens)
          if (token.type === "code_block") Object.assign(token, { type: "fence", info: "sh" });
      });
      md.core.ruler.push("site-links", ({ tokens, env }) => {
        const { relativePath = "" } = env as { relativePath?: string };
        for (const { children } of tokens) {
          let isText = false;
          for (const child of children ?? []) {
            if (child.type === "link_open") isText = !isOnSite(child.attrGet("href") ?? "", relativePath);
            // A file of the repository: its name stands in the text, and the site has no page of it
            if (isText && (child.type === "link_open" || child.type === "link_close")) {
              child.tag = "span";
              child.attrs = null;
            }
          }
        }
      });
    },
  },
  themeConfig: {
    sidebar,
    nav: [
      { text: "Quickstart", link: "/quickstart" },
      { text: "Options", link: "/options" },
      { text: "Plugins", link: "/write-a-plugin" },
      { text: "中文", link: "/freeze-your-model.zh" },
    ],
    search: { provider: "local" },
    outline: { level: [2, 3] },
  },
});
