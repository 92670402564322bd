import { spawnSync } from "node:child_process";
import { existsSync, statSync } from "node:fs";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("..", import.meta.url));

/** Runs a command in the repository root with its output shown; ends the process where it fails. */
export function run(command, parameters, options = {}) {
  const result = spawnSync(command, parameters, {
    cwd: root,
    stdio: "inherit",
    env: { ...process.env, TURBO_TELEMETRY_DISABLED: "1", ...options.env },
  });
  if (result.error) throw result.error;
  if (result.status !== 0) process.exit(result.status ?? 1);
}

/** Installs where the lock file is newer than the installed tree, then builds; turbo skips what is current. */
export function prepare() {
  const installed = new URL("../node_modules/.package-lock.json", import.meta.url);
  const lock = new URL("../package-lock.json", import.meta.url);
  if (!existsSync(installed) || statSync(installed).mtimeMs < statSync(lock).mtimeMs) {
    run("npm", ["ci", "--no-audit", "--no-fund", "--loglevel=error"]);
  }
  run("npx", ["--no-install", "turbo", "run", "build", "--output-logs=errors-only"]);
}
