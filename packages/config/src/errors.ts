import { isAbsolute } from "node:path";
import { causeText, ThawError, thrownAt } from "@thaw/core";

/** No config was found from `folder` upwards. */
export function configNotFound(folder: string, looked: readonly string[]): ThawError {
  return new ThawError(
    "THAW_CONFIG_NOT_FOUND",
    `No Thaw config was found. Looked in ${folder} and the folders above it for ${looked.join(", ")}. Create ` +
      `thaw.config.yaml with at least "model: ./path/to/checkpoint", or give the config's path as an argument.`,
    { details: { folder, looked } },
  );
}

/** A config path that was given does not exist or cannot be read. */
export function configUnreadable(file: string, cause: unknown, namedIn?: string): ThawError {
  const reason = causeText(cause);
  const where = namedIn === undefined ? `At ${file}.` : `At ${file}, which ${namedIn} extends.`;
  return new ThawError(
    "THAW_CONFIG_UNREADABLE",
    `The config cannot be read: ${reason}. ${where} Check the path and that you may read the file.`,
    { details: { file }, cause },
  );
}

/** A config written in code threw while it was loaded. */
export function configThrew(file: string, cause: unknown): ThawError {
  const reason = causeText(cause);
  return new ThawError(
    "THAW_CONFIG_THREW",
    `The config could not be loaded: ${reason}. In ${placeIn(file, cause)}. Correct the file, and ` +
      "install what it imports.",
    { details: { file }, cause },
  );
}

/** A file ending that no loader knows. */
export function configKindUnknown(file: string, endings: readonly string[]): ThawError {
  return new ThawError(
    "THAW_CONFIG_KIND",
    `The file's ending says nothing about its format. At ${file}. Use one of ${endings.join(", ")}.`,
    { details: { file } },
  );
}

/** `extends` leads back to a file that is being read. */
export function extendsCycle(chain: readonly string[]): ThawError {
  return new ThawError(
    "THAW_CONFIG_EXTENDS_CYCLE",
    `The config extends itself. Along ${chain.join(" -> ")}. Remove one of these "extends".`,
    { details: { chain } },
  );
}

/** A package that `extends` or `plugins` names cannot be resolved. */
export function packageNotFound(
  kind: "plugin" | "preset",
  name: string,
  tried: readonly string[],
  where: string,
): ThawError {
  const command = tried.find((candidate) => !candidate.startsWith("@thaw/")) ?? tried[0] ?? name;
  const advice = tried.every((candidate) => isAbsolute(candidate))
    ? "Correct the path, which counts from the file that names it."
    : `Install it ("npm install ${command}"), or give a path that starts with "./".`;
  return new ThawError(
    kind === "plugin" ? "THAW_PLUGIN_NOT_FOUND" : "THAW_PRESET_NOT_FOUND",
    `The ${kind} "${name}" was not found; tried ${tried.join(", ")}. Named in ${where}. ${advice}`,
    { details: { name, tried, where } },
  );
}

/** A plugin's module was found and threw while it was loaded. */
export function pluginThrew(name: string, file: string, cause: unknown, where: string): ThawError {
  const reason = causeText(cause);
  return new ThawError(
    "THAW_PLUGIN_THREW",
    `The plugin "${name}" could not be loaded: ${reason}. In ${placeIn(file, cause)}, named in ${where}. Correct the ` +
      "file, and install what it imports.",
    {
      details: { name, file, where },
      cause,
    },
  );
}

/** What a plugin's module exports is not a plugin. */
export function notAPlugin(name: string, received: string, where: string): ThawError {
  return new ThawError(
    "THAW_PLUGIN_SHAPE",
    `"${name}" is not a plugin: its default export is ${received}. Named in ${where}. Export what definePlugin({ ` +
      "name, apiVersion, apply or provides }) of @thaw/core returns.",
    { details: { name, received, where } },
  );
}

/** A config that is data names something that runs as code. */
export function codeUntrusted(found: {
  readonly file: string;
  readonly key: string;
  /** `file:line:column`. */
  readonly place: string;
  readonly what: string;
  readonly fix: string;
}): ThawError {
  const { file, key, place, what, fix } = found;
  return new ThawError(
    "THAW_CONFIG_UNTRUSTED",
    `${what}, and a saved config is data: nobody vouches for what it would run. In ${key} (${place}). ${fix} Or give ` +
      "--trust, if you know who made that folder: it then runs code as you.",
    { details: { file, key } },
  );
}

/** `--set` without a key or an equals sign. */
export function overrideMalformed(text: string, reason: string): ThawError {
  return new ThawError(
    "THAW_CONFIG_OVERRIDE",
    `The override "${text}" cannot be read: ${reason}. On the command line. Write it as --set training.epochs=3.`,
    { details: { text } },
  );
}

/** The line of a file that threw, where the error says so; else the file. */
function placeIn(file: string, cause: unknown): string {
  const place = thrownAt(cause);
  return place?.startsWith(`${file}:`) === true ? place : file;
}
