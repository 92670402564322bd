import { parseJson } from "@thaw/contracts";
import { readFile, stat } from "node:fs/promises";
import { createRequire } from "node:module";
import { isAbsolute, join, resolve } from "node:path";
import { captionMessages } from "../../samples/captions.js";
import { captionOf, isSkinToneVariant } from "../../samples/concepts.js";
import { fileMalformed, fileUnreadable, packageMissing } from "../../errors.js";
import { type IconSet, iconSvg, resolveIcon } from "./icon-svg.js";
import type { ResolvedSourceOptions } from "../options.js";
import type { Sample } from "../../samples/sample.js";

type IconifyOptions = Extract<ResolvedSourceOptions, { type: "iconify" }>;

async function pathOf(set: string, baseFolder: string): Promise<string> {
  const looksLikePath = isAbsolute(set) || set.startsWith(".") || set.endsWith(".json");
  if (looksLikePath) {
    const path = resolve(baseFolder, set);
    const isFolder = await stat(path).then(
      (status) => status.isDirectory(),
      () => false,
    );
    return isFolder ? join(path, "icons.json") : path;
  }
  const name = set.replace(/^@iconify-json\//, "");
  // From the config's folder first; then from here, where Thaw's own development packages lie.
  for (const from of [join(baseFolder, "package.json"), import.meta.url]) {
    try {
      return createRequire(from).resolve(`@iconify-json/${name}/icons.json`);
    } catch {
      // Tried below or reported.
    }
  }
  throw packageMissing(name, baseFolder, [`@iconify-json/${name}/icons.json`]);
}

function isIconSet(value: unknown): value is IconSet {
  const set = value as Partial<IconSet> | null;
  return (
    typeof set === "object" &&
    set !== null &&
    typeof set.prefix === "string" &&
    typeof set.icons === "object" &&
    set.icons !== null &&
    Object.values(set.icons).every((icon) => typeof icon?.body === "string")
  );
}

/**
 * Reads an icon set by package name or path. @throws THAW_DATA_ICON_SET_MISSING, THAW_DATA_FILE_UNREADABLE,
 * THAW_DATA_FILE_MALFORMED
 */
export async function loadIconSet(set: string, baseFolder: string): Promise<IconSet> {
  const path = await pathOf(set, baseFolder);
  const text = await readFile(path, "utf8").catch((cause: unknown) => {
    throw fileUnreadable(path, "The icon set", cause);
  });
  let value: unknown;
  try {
    value = parseJson(text);
  } catch (cause) {
    throw fileMalformed(
      path,
      "The icon set is not JSON.",
      "Install the package again, or give the path of an icons.json.",
      cause,
    );
  }
  if (!isIconSet(value))
    throw fileMalformed(
      path,
      "The file is not an Iconify set: it needs prefix and icons with a body each.",
      "Give the icons.json of an @iconify-json package.",
    );
  return value;
}

/** Visible icons without skin-tone variants, in the set's order. Aliases are other names of an icon, not icons. */
export function iconNames(set: IconSet): string[] {
  return Object.keys(set.icons).filter((name) => set.icons[name]?.hidden !== true && !isSkinToneVariant(name, set));
}

/** An icon set as captioning samples. */
export async function iconifySamples(
  options: IconifyOptions,
  context: { readonly baseFolder: string; readonly captionPrompt: string },
): Promise<Sample[]> {
  const set = await loadIconSet(options.set, context.baseFolder);
  const prompt = options.prompt ?? context.captionPrompt;
  return iconNames(set).map((name) => ({
    id: `${set.prefix}:${name}`,
    origin: `iconify:${set.prefix} ${name}`,
    messages: captionMessages(prompt, captionOf(name)),
    media: [
      {
        modality: "image",
        source: { kind: "svg", svg: iconSvg(resolveIcon(set, name)), background: options.background },
      },
    ],
    reference: captionOf(name),
    concept: name,
  }));
}
