import { type DatasetFormat, type FormatContext, parseJson, type Sample } from "@thaw/contracts";
import { z } from "zod";
import { readFile, stat } from "node:fs/promises";
import { createRequire } from "node:module";
import { isAbsolute, join, resolve } from "node:path";
import { captionMessages } from "../../samples/captions.js";
import { captionOf, isSkinToneVariant } from "../../samples/concepts.js";
import { fileMalformed, fileUnreadable, packageMissing } from "../../errors/files.js";
import { fileName, nameWithConcepts } from "../names.js";
import { concepts, prompt } from "../options.js";
import { sampleList } from "../sample-sets.js";
import { type IconSet, iconSvg, resolveIcon } from "./icon-svg.js";

const colour = z.string().regex(/^#[0-9a-fA-F]{6}$/, "A colour is written #rrggbb.");

/** Visible icons of an Iconify set; the caption is the name with spaces. */
export const iconifySchema = z.strictObject({
  set: z.string().min(1).meta({
    format: "package-or-path",
    description: "noto is @iconify-json/noto; else the path of an icons.json or of a folder that holds one.",
  }),
  concepts: concepts.describe(
    "Which icons, by a hash of their names that calls about a tenth of all names unseen. Default: seen for training, " +
      "all for evaluation.",
  ),
  prompt,
  background: colour.default("#ffffff").describe("Colour behind the icon, #rrggbb."),
});

type IconifyOptions = z.output<typeof iconifySchema>;

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
  context: Pick<FormatContext, "baseFolder" | "captionPrompt">,
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

async function isIconifyFile(path: string): Promise<boolean> {
  if (!path.endsWith(".json")) return false;
  const head = (await readFile(path, "utf8")).trimStart();
  return head.startsWith("{") && /"prefix"\s*:/.test(head.slice(0, 10_000)) && head.includes('"icons"');
}

/** Icons of a set, each with its name as caption. */
export const iconifyFormat: DatasetFormat<IconifyOptions> = {
  type: "iconify",
  summary: "Icons of an Iconify set, each with its name as caption.",
  schema: iconifySchema,
  recognises: async (path) => {
    const icons = join(path, "icons.json");
    if (await isFile(icons)) return { set: icons };
    return (await isFile(path)) && (await isIconifyFile(path)) ? { set: path } : undefined;
  },
  nameOf: ({ set, concepts: part }) => nameWithConcepts(fileName(set), part),
  // Only an icon set that trains leaves the unseen out unasked: a user's own captions are all meant.
  open: async (options, context) => ({
    ...sampleList(await iconifySamples(options, context), `iconify:${options.set}`),
    exif: false,
    concepts: options.concepts ?? (context.role === "train" ? "seen" : "all"),
  }),
};

function isFile(path: string): Promise<boolean> {
  return stat(path).then(
    (status) => status.isFile(),
    () => false,
  );
}
