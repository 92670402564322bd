/**
 * `npm run docs`: builds the documentation site from docs/ into site/dist. What builds it is installed into site/ once,
 * from its own lockfile, so that `npm ci` of the repository brings none of it. Pages are copied there, since a page's
 * folder is where its packages are looked up. With `--serve`: shows the built site on this machine.
 */
import { execFileSync } from "node:child_process";
import { cpSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "./prepare.mjs";

const site = join(root, "site");
const run = (command, args) => execFileSync(command, args, { cwd: site, stdio: "inherit" });

/** A page for each package, of its built types: `api/core.md` from what typedoc calls `core/dist.md`. */
function apiPages(folder) {
  run("npx", ["typedoc"]);
  rmSync(join(folder, "index.md"));
  for (const name of readdirSync(folder)) {
    const text = readFileSync(join(folder, name, "dist.md"), "utf8");
    const body = text.slice(text.indexOf("\n# ") + 1).replace(/^# .*$/mu, `# @thaw/${name}`);
    const opening = `What \`@thaw/${name}\` exports: you find the name and the type of what you need.`;
    const linked = body.replaceAll(/\.\.\/([a-z-]+)\/dist\.md/gu, "$1.md").replaceAll(/\(dist\.md/gu, `(${name}.md`);
    rmSync(join(folder, name), { recursive: true });
    writeFileSync(`${join(folder, name)}.md`, linked.replace("\n", `\n\n${opening}\n`));
  }
}

/** Installs what site/ needs, once. */
export function installSite() {
  if (!existsSync(join(site, "node_modules/vitepress")))
    run("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund"]);
}

if (process.argv[1] === import.meta.filename) {
  installSite();
  if (process.argv.includes("--serve")) run("npx", ["vitepress", "preview"]);
  else {
    const pages = join(site, ".pages");
    rmSync(pages, { recursive: true, force: true });
    cpSync(join(root, "docs"), pages, { recursive: true });
    cpSync(join(site, "index.md"), join(pages, "index.md"));
    apiPages(join(pages, "api"));
    run("npx", ["vitepress", "build"]);
  }
}
