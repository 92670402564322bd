/**
 * `node scripts/docs.mjs`: writes the generated pages and types, and the files that pages include. With `--check`: says
 * what differs, exit 1.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { errorsPage, errorSources } from "./docs/errors-page.mjs";
import { licencesPage } from "./docs/licences-page.mjs";
import { hooksPage, hookSource } from "./docs/hooks-page.mjs";
import { withIncludes } from "./docs/includes.mjs";
import { optionTypes } from "./docs/option-types.mjs";
import { optionShape, optionsPage } from "./docs/options-page.mjs";
import { rulesPages } from "./docs/rules-pages.mjs";
import { root } from "./prepare.mjs";

const read = (path) => readFileSync(`${root}/${path}`, "utf8");
const pages = new Map([
  ["docs/hooks.md", hooksPage(hookSource(read))],
  ["docs/errors.md", errorsPage(errorSources())],
  ["docs/options.md", optionsPage(optionShape())],
  ["etc/licences.md", licencesPage(JSON.parse(read("package-lock.json")))],
  ...rulesPages(),
  ...(await optionTypes()),
]);
for (const page of [
  ...readdirSync(`${root}/docs`)
    .filter((name) => name.endsWith(".md"))
    .map((name) => `docs/${name}`),
  "README.md",
]) {
  if (!pages.has(page) && existsSync(`${root}/${page}`)) pages.set(page, withIncludes(read(page), read));
}
const changed = [...pages].filter(([page, content]) => !existsSync(`${root}/${page}`) || read(page) !== content);
if (process.argv.includes("--check")) {
  for (const [page] of changed) console.error(`${page} is not up to date; run node scripts/docs.mjs.`);
  process.exitCode = changed.length > 0 ? 1 : 0;
} else {
  mkdirSync(`${root}/docs/rules`, { recursive: true });
  for (const [page, content] of changed) writeFileSync(`${root}/${page}`, content);
}
