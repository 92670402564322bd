import { readTextModel } from "../src/decoders/text/text-model.js";
import { configReader } from "../src/reading/config-reader.js";

/** A Llama of three layers, 8 hidden columns and 30 tokens. */
export const SMALL_TEXT = readTextModel(
  configReader("config.json", {
    model_type: "llama",
    hidden_size: 8,
    intermediate_size: 12,
    num_hidden_layers: 3,
    num_attention_heads: 2,
    num_key_value_heads: 1,
    vocab_size: 30,
    max_position_embeddings: 64,
    rope_theta: 100,
  }),
).options;
