/** `npm run lint`: arrows, widths of lines, sizes of folders, formatting, then every package's lint. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { dirname } from "node:path";
import { root, run } from "./prepare.mjs";

/** The formatter's width; it leaves texts and comments alone, so that they are measured here. */
const WIDTH = 120;
/** A folder that holds more source files has rooms that nobody has named yet. */
const FILES_PER_FOLDER = 14;

const tracked = execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard"], { cwd: root })
  .toString()
  .split("\n")
  .filter((path) => /\.(ts|mjs|js)$/.test(path) && !path.includes("/fixtures/"));
const problems = [...longLines(tracked), ...crowdedFolders(tracked)];
for (const problem of problems) console.error(problem);
if (problems.length > 0) process.exitCode = 1;
run("node", ["scripts/arrows.mjs", "--check"]);
run("npx", ["--no-install", "oxfmt", "--check", "."]);
run("npx", ["--no-install", "turbo", "run", "lint", "--output-logs=errors-only"]);

function longLines(files) {
  return files.flatMap((path) =>
    readFileSync(`${root}/${path}`, "utf8")
      .split("\n")
      .flatMap((line, index) =>
        line.length > WIDTH ? [`${path}:${index + 1}: ${line.length} columns, at most ${WIDTH}.`] : [],
      ),
  );
}

function crowdedFolders(files) {
  const counts = new Map();
  for (const path of files) {
    if (!/^packages\/[^/]+\/src\//.test(path) || /\.(test|test-d|d)\.ts$/.test(path)) continue;
    counts.set(dirname(path), (counts.get(dirname(path)) ?? 0) + 1);
  }
  return [...counts]
    .filter(([, count]) => count > FILES_PER_FOLDER)
    .map(([folder, count]) => `${folder}: ${count} source files, at most ${FILES_PER_FOLDER}. Give it rooms.`);
}
