// Generated from the schemas by `node scripts/docs.mjs`; edit the descriptions there.

/** Single tokens whose embedding trains. */
export interface TokenRowsOptions {
  /** Tokens by name, as the tokenizer spells them, or by id: their rows train, the embedding stays frozen. */
  tokens?: (string | number)[] | undefined;
  /** First values of the rows: the checkpoint's, or the mean of all other rows. Default: checkpoint. */
  initialize?: "checkpoint" | "mean" | undefined;
  /**
   * Train the same rows of an output layer of its own; one that is tied to the embedding has them anyway. Default:
   * false.
   */
  outputLayer?: boolean | undefined;
}
