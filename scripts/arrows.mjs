/**
 * `node scripts/arrows.mjs`: from arrows.json, which says what each package may import, writes the lint's rules,
 * TypeScript's references and the table of docs/architecture.md. With `--check`: says what differs, exit 1.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { root } from "./prepare.mjs";

const LINT = ".oxlint-arrows.json";
const PAGE = "docs/architecture.md";
const [TABLE_START, TABLE_END] = ["<!-- arrows.json: node scripts/arrows.mjs -->", "<!-- end of arrows.json -->"];
/** Within this many packages a table lists what is allowed, else it says "all". */
const LISTED = 6;

/** Files that follow from the arrows, by path, and what no file can mend. `read` gives a file's text or undefined. */
export function fromArrows(arrows, read) {
  const names = Object.keys(arrows);
  const files = new Map([[LINT, json(lintRules(arrows))]]);
  const problems = circles(arrows);
  const references = (paths) => paths.map((path) => ({ path }));
  const isCompiled = (name) => read(`packages/${name}/tsconfig.json`) !== undefined;
  files.set(
    "tsconfig.json",
    json({
      ...JSON.parse(read("tsconfig.json")),
      references: references(names.filter(isCompiled).map((name) => `packages/${name}`)),
    }),
  );
  for (const name of names) {
    const { mayImport } = arrows[name];
    const manifest = read(`packages/${name}/package.json`);
    if (manifest === undefined) {
      problems.push(`arrows.json: packages/${name} does not exist.`);
      continue;
    }
    problems.push(...dependencyProblems(name, mayImport, JSON.parse(manifest)));
    if (!isCompiled(name)) continue;
    const { references: _, ...config } = JSON.parse(read(`packages/${name}/tsconfig.json`));
    const paths = mayImport.filter(isCompiled).map((other) => `../${other}`);
    files.set(
      `packages/${name}/tsconfig.json`,
      json({ ...config, ...(paths.length > 0 && { references: references(paths) }) }),
    );
  }
  files.set(PAGE, withTable(arrows, read));
  return { files, problems };
}

function lintRules(arrows) {
  const entries = {
    group: ["@thaw/*/*", "@tensorflow/tfjs", "@tensorflow/tfjs-layers"],
    message: "Import public entries only; tfjs-core is the one TensorFlow.js package that all share.",
  };
  return {
    overrides: Object.entries(arrows).map(([name, { mayImport }]) => ({
      files: [`packages/${name}/src/**/*.ts`],
      rules: {
        "no-restricted-imports": [
          "error",
          {
            patterns: [
              {
                group: ["@thaw/*", ...mayImport.map((other) => `!@thaw/${other}`)],
                message: `arrows.json allows ${name} to import only: ${mayImport.join(", ") || "nothing"}.`,
              },
              entries,
            ],
          },
        ],
      },
    })),
  };
}

/** Packages that would import themselves by way of others. */
function circles(arrows) {
  const found = [];
  const done = new Set();
  const visit = (name, path) => {
    if (path.includes(name)) {
      found.push(`arrows.json: a circle, ${[...path.slice(path.indexOf(name)), name].join(" -> ")}.`);
      return;
    }
    if (done.has(name)) return;
    for (const other of arrows[name]?.mayImport ?? []) {
      if (arrows[other] === undefined) found.push(`arrows.json: ${name} may import ${other}, which is not a package.`);
      else visit(other, [...path, name]);
    }
    done.add(name);
  };
  for (const name of Object.keys(arrows)) visit(name, []);
  return found;
}

/** A package depends on what it may import, no less and no more. */
function dependencyProblems(name, mayImport, { dependencies = {} }) {
  const own = Object.keys(dependencies)
    .filter((dependency) => dependency.startsWith("@thaw/"))
    .map((dependency) => dependency.slice("@thaw/".length));
  const [more, less] = [own.filter((one) => !mayImport.includes(one)), mayImport.filter((one) => !own.includes(one))];
  const file = `packages/${name}/package.json`;
  return [
    ...more.map(
      (one) => `${file}: depends on @thaw/${one}, which arrows.json does not allow. Remove one or add the other.`,
    ),
    ...less.map(
      (one) => `${file}: does not depend on @thaw/${one}, which arrows.json allows. Remove one or add the other.`,
    ),
  ];
}

function withTable(arrows, read) {
  const page = read(PAGE);
  const count = Object.keys(arrows).length;
  const others = (names) =>
    names.length > LISTED ? `${names.length} of the ${count - 1} others` : names.join(", ") || "nothing";
  const called = (name) => JSON.parse(read(`packages/${name}/package.json`) ?? "{}").name ?? `@thaw/${name}`;
  const row = ([name, { is, mayImport }]) => `| \`${called(name)}\` | ${is} | ${others(mayImport)} |`;
  const table = ["| package | what it is | may import |", "| --- | --- | --- |", ...Object.entries(arrows).map(row)];
  const [start, end] = [page.indexOf(TABLE_START), page.indexOf(TABLE_END)];
  if (start < 0 || end < start) throw new Error(`${PAGE}: the lines ${TABLE_START} and ${TABLE_END} are missing.`);
  return `${page.slice(0, start)}${TABLE_START}\n\n${table.join("\n")}\n\n${page.slice(end)}`;
}

function json(value) {
  return `${JSON.stringify(value, null, 2)}\n`;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const read = (path) => (existsSync(`${root}/${path}`) ? readFileSync(`${root}/${path}`, "utf8") : undefined);
  const { files, problems } = fromArrows(JSON.parse(read("arrows.json")), read);
  const isCheck = process.argv.includes("--check");
  for (const [path, text] of files) {
    if (read(path) === text) continue;
    if (isCheck) problems.push(`${path}: not what arrows.json says. Run node scripts/arrows.mjs.`);
    else writeFileSync(`${root}/${path}`, text);
  }
  for (const problem of problems) console.error(problem);
  if (problems.length > 0) process.exitCode = 1;
}
