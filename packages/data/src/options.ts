import { z } from "zod";

const colour = z.string().regex(/^#[0-9a-fA-F]{6}$/, "A colour is written #rrggbb.");

/** Random changes of a picture, drawn anew in every epoch. Each makes its image uncacheable. */
export const augmentSchema = z.strictObject({
  /** Probability of a left-right mirror; `true` is 0.5. */
  flip: z.union([z.boolean(), z.number().min(0).max(1)]).optional(),
  /** Smallest share of the area that a random crop keeps; `true` is 0.8. */
  crop: z.union([z.boolean(), z.number().gt(0).max(1)]).optional(),
  /** Largest relative change of brightness, contrast and saturation; `true` is 0.2. */
  colour: z.union([z.boolean(), z.number().min(0).max(1)]).optional(),
});

const common = {
  augment: augmentSchema.optional(),
  /** Only the first samples. */
  limit: z.number().int().positive().optional(),
};

/** Turn a photo upright by its EXIF tag, as `transformers.image_utils.load_image` does. */
const exif = z.boolean().default(true);

/** Visible icons of an Iconify set; the caption is the name with spaces. */
export const iconifySchema = z.strictObject({
  type: z.literal("iconify"),
  /** `noto` is `@iconify-json/noto`; else a path to an `icons.json` or to a folder that holds one. */
  set: z.string().min(1).meta({ format: "package-or-path" }),
  /** Unseen: first byte of sha1(name) % 10 is 0. Default: `seen` for training, `all` for evaluation. */
  concepts: z.enum(["seen", "unseen", "all"]).optional(),
  /** Default: the checkpoint's own. */
  prompt: z.string().optional(),
  background: colour.default("#ffffff"),
  ...common,
});

/** JSONL with `{ image, caption }` a line. */
export const captionsSchema = z.strictObject({
  type: z.literal("captions"),
  path: z.string().min(1).meta({ format: "path" }),
  /** Folder that relative image paths start from; default: the JSONL's folder. */
  images: z.string().meta({ format: "path" }).optional(),
  prompt: z.string().optional(),
  concepts: z.enum(["seen", "unseen", "all"]).optional(),
  exif,
  ...common,
});

/** JSONL in LLaVA form `{ id, image, conversations: [{ from, value }] }` or ShareGPT form `{ messages: [{ role, content }], images }`. */
export const conversationsSchema = z.strictObject({
  type: z.literal("conversations"),
  path: z.string().min(1).meta({ format: "path" }),
  images: z.string().meta({ format: "path" }).optional(),
  /** Accept samples without an image. */
  textOnly: z.boolean().default(false),
  exif,
  ...common,
});

/** One data set. */
export const sourceSchema = z.discriminatedUnion("type", [iconifySchema, captionsSchema, conversationsSchema]);

/** As users write it: the object, or the short form `iconify:noto` or a path. */
export type SourceOptions = string | z.input<typeof sourceSchema>;
/** As code reads it. */
export type ResolvedSourceOptions = z.output<typeof sourceSchema>;
export type AugmentOptions = z.output<typeof augmentSchema>;
