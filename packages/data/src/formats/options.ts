import { z } from "zod";

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

/** What every data set may have beside the options of its format. */
export const COMMON_OPTIONS = {
  augment: augmentSchema
    .optional()
    .describe(
      "Random changes of a picture, drawn anew in every epoch; then its features are not cached, unless views " +
        "says how many pictures there are.",
    ),
  limit: z.number().int().positive().optional().describe("Only so many samples, the first ones."),
};

/** What a set of several may have beside that. */
export const MIX_OPTIONS = {
  weight: z
    .number()
    .positive()
    .optional()
    .describe("Its share of an epoch beside the weights of the others; an epoch is as long as all sets together."),
  samples: z
    .number()
    .int()
    .positive()
    .optional()
    .describe("How many of its samples an epoch holds; the next epoch goes on where this one stopped."),
};

/** As `transformers.image_utils.load_image` does. */
export const exif = z.boolean().default(true).describe("Turn a photo upright by its EXIF tag.");
/** Which part of the samples of an icon set or of captions. */
export const concepts = z
  .enum(["seen", "unseen", "all"])
  .optional()
  .describe("Which captions, by a hash of their text that calls about a tenth of all texts unseen. Default: all.");
/** The question of samples that have none. */
export const prompt = z
  .string()
  .optional()
  .describe("What the model is asked for each image or sound. Default: the checkpoint's own.");
/** Where relative paths of images start from. */
export const images = z.string().optional().meta({
  format: "hub-or-path",
  description: "Folder that relative image paths start from. Default: the JSONL file's folder.",
});
/** Where relative paths of sounds start from. */
export const audios = z.string().optional().meta({
  format: "hub-or-path",
  description: "Folder that relative paths of sounds start from. Default: that of the images.",
});
/** What roles of a file mean. */
export const roles = z
  .record(z.string(), z.enum(["user", "assistant", "system"]))
  .optional()
  .describe(
    "What roles of the file mean beside human, user, gpt, assistant and system: { chatbot: assistant }. Without it " +
      "a sample with another role is an error.",
  );
/** How questions with choices are asked. */
export const choices = z
  .enum(["letters", "texts"])
  .default("letters")
  .describe(
    "How a question with choices is asked: they are listed beneath it and its letter is the answer, as LLaVA-1.5 has " +
      "it, or the question stands alone and the choice's text is the answer.",
  );
/** Whether samples may be without an item. */
export const textOnly = z.boolean().default(false).describe("Accept samples without an image or a sound.");

/** What one of several sets may have beside that. */
export interface MixOptions {
  readonly weight?: number | undefined;
  readonly samples?: number | undefined;
}
