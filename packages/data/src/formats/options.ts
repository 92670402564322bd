import { z } from "zod";

const colour = z.string().regex(/^#[0-9a-fA-F]{6}$/, "A colour is written #rrggbb.");

/** Random changes of a picture, drawn anew in every epoch or, with `views`, every so many epochs again. */
export const augmentSchema = z.strictObject({
  flip: z
    .union([z.boolean(), z.number().min(0).max(1)])
    .optional()
    .describe("Probability of a left-right mirror; true is 0.5."),
  crop: z
    .union([z.boolean(), z.number().gt(0).max(1)])
    .optional()
    .describe("Smallest share of the area that a random crop keeps; true is 0.8."),
  colour: z
    .union([z.boolean(), z.number().min(0).max(1)])
    .optional()
    .describe("Largest relative change of brightness, contrast and saturation; true is 0.2."),
  views: z
    .number()
    .int()
    .positive()
    .optional()
    .describe(
      "So many fixed random pictures of each image, taken by turns epoch by epoch, so that their features can be " +
        "cached. Default: new ones in every epoch.",
    ),
});

const common = {
  augment: augmentSchema
    .optional()
    .describe(
      "Random changes of a picture, drawn anew in every epoch; then its features are not cached, unless views " +
        "says how many pictures there are.",
    ),
  limit: z.number().int().positive().optional().describe("Only so many samples, the first ones."),
};

/** As `transformers.image_utils.load_image` does. */
const exif = z.boolean().default(true).describe("Turn a photo upright by its EXIF tag.");
const concepts = z
  .enum(["seen", "unseen", "all"])
  .optional()
  .describe(
    "Which captions, by a hash of their text: a tenth is unseen. Default: seen for training, all for evaluation.",
  );
const prompt = z
  .string()
  .optional()
  .describe("What the model is asked for each image or sound. Default: the checkpoint's own.");
const images = z.string().optional().meta({
  format: "path",
  description: "Folder that relative image paths start from. Default: the JSONL file's folder.",
});
const audios = z.string().optional().meta({
  format: "path",
  description: "Folder that relative paths of sounds start from. Default: that of the images.",
});
const path = z.string().min(1).meta({ format: "path", description: "A JSONL file." });

/** Visible icons of an Iconify set; the caption is the name with spaces. */
export const iconifySchema = z.strictObject({
  type: z.literal("iconify").describe("Icons of an Iconify set, each with its name as caption."),
  set: z.string().min(1).meta({
    format: "package-or-path",
    description: "noto is @iconify-json/noto; else the path of an icons.json or of a folder that holds one.",
  }),
  concepts,
  prompt,
  background: colour.default("#ffffff").describe("Colour behind the icon, #rrggbb."),
  ...common,
});

/** JSONL with `{ image, caption }` or `{ audio, caption }` per line. */
export const captionsSchema = z.strictObject({
  type: z.literal("captions").describe("JSONL with { image, caption } or { audio, caption } per line."),
  path,
  images,
  audios,
  prompt,
  concepts,
  exif,
  ...common,
});

/**
 * JSONL in LLaVA form `{ id, image, conversations: [{ from, value }] }` or ShareGPT form `{ messages: [{ role, content
 * }], images, audios }`.
 */
export const conversationsSchema = z.strictObject({
  type: z.literal("conversations").describe("JSONL with conversations, as LLaVA or as ShareGPT writes them."),
  path,
  images,
  audios,
  textOnly: z.boolean().default(false).describe("Accept samples without an image or a sound."),
  roles: z
    .record(z.string(), z.enum(["user", "assistant", "system"]))
    .optional()
    .describe(
      "What roles of the file mean beside human, user, gpt, assistant and system: { chatbot: assistant }. Without it " +
        "a sample with another role is an error.",
    ),
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
