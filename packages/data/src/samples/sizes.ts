/** Sets up to this size are read as a whole before anything starts; of larger ones a part is. */
export const WHOLE_SET = 100_000;
