import { copyFile, rename, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { makeFolders } from "@thaw/core";
import { pythonMissing, wheelBroken, wheelUnreachable } from "../../errors.js";
import type { RunCommand } from "../command.js";
import { download, type OnBytes, sha256Of } from "./download.js";
import type { WheelRecipe } from "../recipe.js";

const PYTHONS = ["python3", "python", "py"] as const;

export interface WheelOptions {
  readonly recipe: WheelRecipe;
  /** Where downloads are kept until the installation is complete. */
  readonly folder: string;
  /** A wheel that the user brings. */
  readonly localFile?: string;
  readonly run: RunCommand;
  readonly onBytes?: OnBytes;
  readonly signal?: AbortSignal;
  readonly fetch?: typeof fetch;
}

/**
 * Path of the recipe's wheel, checksum verified: the user's file, or a download from where pip's configured index says
 * it is. If that address does not answer this process (a proxy, a private index), pip downloads it.
 * @throws THAW_INSTALL_NO_PYTHON, THAW_INSTALL_WHEEL_UNREACHABLE, THAW_INSTALL_WHEEL_BROKEN
 */
export async function obtainWheel(options: WheelOptions): Promise<string> {
  const { recipe, folder, localFile } = options;
  if (localFile !== undefined) return await checkLocal(localFile, recipe);
  const target = join(folder, recipe.file);
  if ((await stat(target).catch(() => undefined))?.size === recipe.bytes && (await sha256Of(target)) === recipe.sha256)
    return target;
  const { url, python } = await locateWheel(recipe, options.run);
  if (url.startsWith("file:")) return await checkLocal(new URL(url).pathname, recipe);
  try {
    await download({
      url,
      target,
      bytes: recipe.bytes,
      sha256: recipe.sha256,
      onBytes: options.onBytes,
      signal: options.signal,
      fetch: options.fetch,
    });
  } catch (error) {
    if (options.signal?.aborted === true || !(await pipDownload(python, options))) throw error;
  }
  return target;
}

async function checkLocal(file: string, recipe: WheelRecipe): Promise<string> {
  const sum = await sha256Of(file).catch((error: unknown) => {
    throw wheelBroken({ file, reason: error instanceof Error ? error.message : String(error) });
  });
  if (sum !== recipe.sha256)
    throw wheelBroken({ file, reason: `its sha256 is ${sum}, and ${recipe.file} has ${recipe.sha256}` });
  return file;
}

function selection(recipe: WheelRecipe): string[] {
  const [, , python = "py3", , platforms = ""] = recipe.file.replace(/\.whl$/, "").split("-");
  const version = /^cp3\d+$/.test(python)
    ? ["--python-version", python.slice(2, 3) + "." + python.slice(3), "--implementation", "cp"]
    : [];
  return [
    "--no-deps",
    "--only-binary=:all:",
    ...platforms.split(".").flatMap((platform) => ["--platform", platform]),
    ...version,
    `${recipe.project}==${recipe.version}`,
  ];
}

/** Asks pip, which knows the user's index, proxies and credentials, without downloading. */
async function locateWheel(
  recipe: WheelRecipe,
  run: RunCommand,
): Promise<{ readonly url: string; readonly python: string }> {
  let refusal: string | undefined;
  for (const python of PYTHONS) {
    const result = await run(python, [
      "-m",
      "pip",
      "install",
      "--dry-run",
      "--ignore-installed",
      "--quiet",
      "--disable-pip-version-check",
      "--target",
      "unused",
      "--report",
      "-",
      ...selection(recipe),
    ]);
    if (result.exitCode === 0) return { url: urlOf(result.stdout, recipe), python };
    const isPipThere = result.exitCode !== null && !/No module named pip|no such option/.test(result.stderr);
    if (isPipThere) refusal ??= lastLine(result.stderr);
  }
  if (refusal === undefined) throw pythonMissing({ file: recipe.file, tried: PYTHONS });
  throw wheelUnreachable({ file: recipe.file, reason: `pip says: ${refusal}` });
}

function urlOf(report: string, recipe: WheelRecipe): string {
  try {
    const { install } = JSON.parse(report) as { install: { download_info: { url: string } }[] };
    const url = install[0]?.download_info.url;
    if (url !== undefined) return url;
  } catch {
    // Falls through to the same message.
  }
  throw wheelUnreachable({ file: recipe.file, reason: "pip's report names no address" });
}

async function pipDownload(python: string, { recipe, folder, run }: WheelOptions): Promise<boolean> {
  const into = join(folder, "pip");
  await makeFolders(into);
  const result = await run(python, [
    "-m",
    "pip",
    "download",
    "--quiet",
    "--disable-pip-version-check",
    "--dest",
    into,
    ...selection(recipe),
  ]);
  const file = join(into, recipe.file);
  if (result.exitCode !== 0 || (await sha256Of(file).catch(() => "")) !== recipe.sha256) return false;
  await makeFolders(dirname(join(folder, recipe.file)));
  await rename(file, join(folder, recipe.file)).catch(() => copyFile(file, join(folder, recipe.file)));
  return true;
}

function lastLine(text: string): string {
  const lines = text.trim().split("\n");
  return (lines.findLast((line) => line.startsWith("ERROR:")) ?? lines.at(-1) ?? "")
    .replace(/^ERROR: /, "")
    .replace(/\.$/, "");
}
