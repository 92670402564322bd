import { createHash } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { dirname, join, sep } from "node:path";
import { makeFolders } from "@thaw/core";
import { packageUnreachable } from "../errors.js";
import type { RunCommand } from "./command.js";
import { readTarball } from "./archives/tar.js";

/** An npm package and the checksum of its tarball. */
export interface PackageRecipe {
  readonly name: string;
  readonly version: string;
  readonly integrity: string;
}

/**
 * Files of an npm package by their path in it: `npm pack` fetches the tarball from the configured registry into
 * `folder`; one that is there already is used. @throws THAW_INSTALL_PACKAGE_UNREACHABLE also if the checksum differs
 */
export async function obtainPackage(
  recipe: PackageRecipe,
  folder: string,
  run: RunCommand,
): Promise<Map<string, Buffer>> {
  const spec = `${recipe.name}@${recipe.version}`;
  const file = join(folder, `${recipe.name.replace("@", "").replace("/", "-")}-${recipe.version}.tgz`);
  await makeFolders(folder);
  let tarball = await readFile(file).catch(() => undefined);
  if (tarball === undefined || integrityOf(tarball) !== recipe.integrity) {
    const result = await run("npm", ["pack", "--silent", "--pack-destination", folder, spec]);
    if (result.exitCode === null) throw packageUnreachable({ package: spec, reason: "npm does not run" });
    if (result.exitCode !== 0)
      throw packageUnreachable({ package: spec, reason: `npm says: ${result.stderr.trim().split("\n").at(-1) ?? ""}` });
    tarball = await readFile(file);
  }
  if (integrityOf(tarball) !== recipe.integrity)
    throw packageUnreachable({
      package: spec,
      reason: "its checksum is not the one that this version of Thaw expects",
    });
  return new Map([...readTarball(tarball)].map(([path, content]) => [path.replace(/^package\//, ""), content]));
}

/** Writes files under a folder; paths that would leave it are refused. */
export async function writeFiles(folder: string, files: Iterable<readonly [string, Buffer | string]>): Promise<void> {
  for (const [path, content] of files) {
    const target = join(folder, path);
    if (!target.startsWith(folder + sep)) continue;
    await makeFolders(dirname(target));
    await writeFile(target, content);
  }
}

function integrityOf(content: Buffer): string {
  return `sha512-${createHash("sha512").update(content).digest("base64")}`;
}
