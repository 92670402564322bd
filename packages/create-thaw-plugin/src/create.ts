import { existsSync, readdirSync } from "node:fs";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { basename, dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { KIND_PARTS, type KindParts } from "./kinds.js";

/** A word after `--kind`. */
export type Kind = keyof typeof KIND_PARTS;

/** All kinds. */
export const KINDS = Object.keys(KIND_PARTS) as readonly Kind[];

const PACKAGE = fileURLToPath(new URL("..", import.meta.url));
const TEMPLATE = join(PACKAGE, "template");
/** Words of lower case and digits with dashes between, as a type in a config is written. */
const NAME = /^[a-z][a-z0-9]*(-[a-z0-9]+)*$/;

/** Why no plugin is written: what is wrong, where, and what to do. */
export class CreationRefused extends Error {}

/** A plugin that was written. */
export interface CreatedPlugin {
  /** As configs name it: `my-plugin` of the package `thaw-plugin-my-plugin`. */
  readonly name: string;
  readonly folder: string;
  /** Paths from the folder, sorted. */
  readonly files: readonly string[];
}

/**
 * Writes a plugin of a kind into a folder that is new or empty; the folder's name is the plugin's, without
 * `thaw-plugin-`. @throws CreationRefused
 */
export async function createPlugin(folder: string, kind: Kind): Promise<CreatedPlugin> {
  const target = resolve(folder);
  const name = basename(target).replace(/^thaw-plugin-/, "");
  if (!NAME.test(name))
    throw new CreationRefused(
      `"${name}" is not a name of a plugin. In the folder ${target}. Use lower-case letters, digits and single ` +
        "dashes: my-plugin.",
    );
  if (existsSync(target) && readdirSync(target).length > 0)
    throw new CreationRefused(`The folder is not empty. In ${target}. Name a new one, or empty it.`);
  const parts: KindParts = KIND_PARTS[kind];
  const files = new Map<string, string>();
  for (const part of kind === "hooks" ? ["common"] : ["common", kind])
    for (const [path, text] of await filesBelow(join(TEMPLATE, part))) files.set(path, text);
  files.set("src/index.ts", withParts(files.get("src/index.ts")!, parts));
  files.set("package.json", await manifestOf(files.get("package.json")!, parts));
  files.set("README.md", files.get("README.md")!.replace("# the rest of the config\n", parts.config));
  for (const [path, text] of files) {
    const file = join(target, path);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, named(text, name));
  }
  return { name, folder: target, files: [...files.keys()].toSorted() };
}

/** Names in the template: npm would leave the first out of a package, and tools take the second for a workspace's. */
const RENAMED = new Map([
  ["_gitignore", ".gitignore"],
  ["_package.json", "package.json"],
]);

/** Texts by path. */
async function filesBelow(folder: string): Promise<ReadonlyMap<string, string>> {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true });
  const texts = await Promise.all(
    entries
      .filter((entry) => entry.isFile())
      .map(async (entry) => {
        const file = join(entry.parentPath, entry.name);
        return [relative(folder, file).replaceAll("\\", "/"), await readFile(file, "utf8")] as const;
      }),
  );
  return new Map(texts.map(([path, text]) => [RENAMED.get(path) ?? path, text]));
}

/** The plugin's main file with the lines of its kind. */
function withParts(source: string, { importLine, definitionLine, applyLine }: KindParts): string {
  const after = (text: string, anchor: string, line: string | undefined): string =>
    line === undefined ? text : text.replace(anchor, () => `${anchor}${line}\n`);
  const imported = after(source, 'import { z } from "zod";\n', importLine);
  return after(after(imported, "  optionsSchema,\n", definitionLine), "    const { hooks } = trainer;\n", applyLine);
}

/** The manifest with this version of Thaw, and what the kind imports beside core. */
async function manifestOf(text: string, { packages = [] }: KindParts): Promise<string> {
  const { version } = JSON.parse(await readFile(join(PACKAGE, "package.json"), "utf8")) as { readonly version: string };
  const manifest = JSON.parse(text.replaceAll("THE_VERSION_OF_THAW", version)) as {
    readonly peerDependencies: Record<string, string>;
  };
  for (const name of packages) manifest.peerDependencies[name] = manifest.peerDependencies["@thaw/core"]!;
  return `${JSON.stringify(manifest, null, 2)}\n`;
}

/** The template's text under another name, in each of its spellings. */
function named(text: string, name: string): string {
  const pascal = name.replace(/(?:^|-)(\w)/g, (_, letter: string) => letter.toUpperCase());
  // The class of a name that ends in "plugin" would end in it twice
  return text
    .replaceAll("MyPlugin", pascal.endsWith("Plugin") ? pascal : `${pascal}Plugin`)
    .replaceAll("myPlugin", pascal[0]!.toLowerCase() + pascal.slice(1))
    .replaceAll("MY_PLUGIN", name.replaceAll("-", "_").toUpperCase())
    .replaceAll("my_plugin", name.replaceAll("-", "_"))
    .replaceAll("my-plugin", name);
}
