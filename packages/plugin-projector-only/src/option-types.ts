// Generated from the schemas by `node scripts/docs.mjs`; edit the descriptions there.

/** What is saved where the vision tower is frozen. */
export interface ProjectorOnlyOptions {
  /**
   * Keep the outputs of frozen segments that read images, instead of computing them again in every epoch. A mapping
   * means on. Default: auto.
   */
  featureCache?: "auto" | "on" | "off" | boolean | ProjectorOnlyOptionsFeatureCache | undefined;
  /** Demand that nothing but the projector trains. Default: false. */
  required?: boolean | undefined;
  /** What a step may leave out, each by itself. Losses and gradients are the same with and without, up to rounding. */
  savings?: ProjectorOnlyOptionsSavings | undefined;
}

/**
 * Keep the outputs of frozen segments that read images, instead of computing them again in every epoch. A mapping means
 * on.
 */
export interface ProjectorOnlyOptionsFeatureCache {
  /** Features kept in memory: bytes, or a size such as 2GB; 0 for none. Default: a quarter of the machine's memory. */
  memory?: number | string | undefined;
  /**
   * Features kept on disk. true: under the user's cache folder; a path: there; a size: under the cache folder, at most
   * that much; false: none. Default: false.
   */
  disk?: boolean | number | string | undefined;
}

/** What a step may leave out, each by itself. Losses and gradients are the same with and without, up to rounding. */
export interface ProjectorOnlyOptionsSavings {
  /** Leave out rows of padding. Default: true. */
  padding?: boolean | undefined;
  /** Leave out tokens behind a sample's last supervised one. Default: true. */
  tail?: boolean | undefined;
  /** Of the last layer make keys and values alone on rows that are not supervised. Default: true. */
  lastLayer?: boolean | undefined;
  /**
   * Multiply with the vocabulary on supervised rows alone. false also keeps the tail and the whole last layer. Default:
   * true.
   */
  logits?: boolean | undefined;
  /**
   * Where the language model is frozen: no gradient before a sample's first image, and a beginning that prompts share
   * is computed once. Default: true.
   */
  prefix?: boolean | undefined;
  /**
   * Free the parameters of a frozen tower once the features of all images are kept, and read them again if an image
   * needs them. Default: true.
   */
  releaseTower?: boolean | undefined;
}
