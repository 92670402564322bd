import { z } from "zod";

const token = z.union([z.string().min(1), z.number().int().nonnegative()]);

/** The `token_rows` section. Without it, or with no tokens, nothing is added. */
export const tokenRowsSchema = z
  .strictObject({
    tokens: z
      .array(token)
      .default([])
      .describe(
        "Tokens by name, as the tokenizer spells them, or by id: their rows train, the embedding stays frozen.",
      ),
    initialize: z
      .enum(["checkpoint", "mean"])
      .default("checkpoint")
      .describe("First values of the rows: the checkpoint's, or the mean of all other rows."),
    outputLayer: z
      .boolean()
      .default(false)
      .describe(
        "Train the same rows of an output layer of its own; one that is tied to the embedding has them anyway.",
      ),
  })
  .prefault({})
  .describe("Single tokens whose embedding trains.");

/** As users write it. */
export type { TokenRowsOptions } from "./option-types.js";
export type ResolvedTokenRows = z.output<typeof tokenRowsSchema>;
