import { type BpeModel, encodeBpe } from "./bpe.js";
import { isUnseenConcept } from "./concepts.js";
import type { TrainingPicture } from "./picture-source.js";
import type { Rasters } from "./rasters.js";
import { PROMPT, trainTokenizer } from "./tokenizer-file.js";

/**
 * What is learned: the artist's pictures but those of unseen concepts, with the vocabulary made from their captions.
 */
export interface TrainingSet {
  readonly pictures: readonly TrainingPicture[];
  /** Captions in the order of the pictures. */
  readonly captions: readonly string[];
  readonly tokenizer: BpeModel;
  readonly promptIds: readonly number[];
}

/** A picture's caption: its name with spaces. */
export function captionOf(name: string): string {
  return name.replaceAll("-", " ");
}

/** Leaves unseen concepts out of pictures and vocabulary alike. */
export function trainingSetOf(rasters: Rasters): TrainingSet {
  const chosen = [...rasters.names.entries()].filter(([, name]) => !isUnseenConcept(name));
  const captions = chosen.map(([, name]) => captionOf(name));
  const tokenizer = trainTokenizer(captions);
  const pictures = chosen.map(([picture, name]) => ({
    name,
    picture,
    captionIds: encodeBpe(tokenizer, ` ${captionOf(name)}`),
  }));
  return { pictures, captions, tokenizer, promptIds: encodeBpe(tokenizer, PROMPT) };
}
