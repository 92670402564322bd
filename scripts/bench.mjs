/**
 * `npm run bench -- <case> [--json]`: runs `test/bench/<case>.mjs` and prints what it measured.
 *
 * A case exports `builds`, the packages it imports (built first, so it imports them inside `run`), and `run({
 * arguments, log })`, which returns one flat object of numbers and words, or yields several. `log` writes a line to
 * stderr; stdout carries the results alone.
 */
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { fileURLToPath, pathToFileURL } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const folder = `${root}test/bench`;
const [name, ...rest] = process.argv.slice(2).filter((argument) => argument !== "--json");
const json = process.argv.includes("--json");
const log = (line) => process.stderr.write(`${line}\n`);

const path = `${folder}/${name}.mjs`;
if (name === undefined || !/^[a-z0-9-]+$/.test(name) || !existsSync(path)) {
  const cases = readdirSync(folder)
    .filter((file) => file.endsWith(".mjs"))
    .map((file) => file.slice(0, -4));
  log(
    `${name === undefined ? "No bench case is named" : `There is no bench case ${name}`}. In npm run bench. Use ` +
      `one of: ${cases.join(", ")}.`,
  );
  process.exit(2);
}

const bench = await import(pathToFileURL(path).href);
const built = spawnSync("npx", ["--no-install", "tsc", "-b", ...bench.builds.map((part) => `packages/${part}`)], {
  cwd: root,
  stdio: ["ignore", 2, 2],
});
if (built.status !== 0) process.exit(built.status ?? 1);

try {
  const result = bench.run({ arguments: rest, log });
  if (Symbol.asyncIterator in result) for await (const one of result) print(one);
  else print(await result);
} catch (error) {
  log(error.message);
  process.exitCode = 1;
}

function print(result) {
  const named = { case: name, ...result };
  if (json) process.stdout.write(`${JSON.stringify(named)}\n`);
  else
    process.stdout.write(
      `${Object.entries(named)
        .map(([key, value]) => `${key.padEnd(24)} ${typeof value === "object" ? JSON.stringify(value) : value}\n`)
        .join("")}\n`,
    );
}
