import { readFile } from "node:fs/promises";
import { dirname, isAbsolute, resolve } from "node:path";
import { discoverConfig, readForeign } from "@thaw/config";
import { parse } from "yaml";

/**
 * True for a config that is data alone: YAML or JSON that names no plugin and extends only such files (or another
 * tool's config). Nothing of it is code, so that it does not matter which copy of Thaw's modules reads it. False also
 * where it cannot be read.
 */
export async function isPlainConfig(config: string | undefined, folder = process.cwd()): Promise<boolean> {
  try {
    return await isPlainFile(await discoverConfig(folder, config), new Set());
  } catch {
    return false;
  }
}

async function isPlainFile(file: string, seen: Set<string>): Promise<boolean> {
  if (seen.has(file)) return true;
  seen.add(file);
  const text = await readFile(file, "utf8");
  if (readForeign(text, file) !== undefined) return true;
  if (!/\.(ya?ml|json)$/.test(file) || file.endsWith("package.json")) return false;
  const value: unknown = parse(text, { uniqueKeys: false });
  if (typeof value !== "object" || value === null || "plugins" in value) return false;
  const { stages } = value as { readonly stages?: unknown };
  const parts = [value, ...(Array.isArray(stages) ? (stages as readonly unknown[]) : [])] as readonly ({
    readonly extends?: unknown;
  } | null)[];
  for (const base of parts.flatMap((part) => part?.extends ?? [])) {
    if (typeof base !== "string" || !(base.startsWith(".") || isAbsolute(base))) return false;
    if (!(await isPlainFile(resolve(dirname(file), base), seen))) return false;
  }
  return true;
}
