/** Ends an answer. */
export const END = 1;
/** Stands for a patch of a picture. */
export const IMAGE_TOKEN = 38;
/** Stands for two frames of a sound. */
export const AUDIO_TOKEN = 39;
