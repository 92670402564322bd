/**
 * `npm test`: installs and builds where needed, lints with the import arrows, checks the types of sources, tests and
 * examples, then runs every test.
 */
import { prepare, run } from "./prepare.mjs";

prepare();
run("node", ["scripts/lint.mjs"]);
run("npx", ["--no-install", "turbo", "run", "check", "check:tests", "--output-logs=errors-only"]);
run("npx", ["--no-install", "vitest", "run", ...process.argv.slice(2)]);
