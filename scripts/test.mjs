/**
 * `npm test`: installs and builds where needed, lints with the import arrows, checks the types of sources, tests and
 * examples, then runs every test with coverage.
 */
import { prepare, run } from "./prepare.mjs";

prepare();
run("npx", ["--no-install", "turbo", "run", "lint", "check", "check:tests", "--output-logs=errors-only"]);
run("npx", ["--no-install", "vitest", "run", "--coverage", ...process.argv.slice(2)]);
