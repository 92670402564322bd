import {
  add,
  attention,
  crossEntropy,
  embedding,
  gatherRows,
  gelu,
  layerNorm,
  linear,
  placeholderRows,
  reshape,
  rmsNorm,
  scatterRows,
  swiglu,
  transpose,
  ownersOfItems,
  ownersOfTokens,
  type FindOwners,
  type LoadedBatch,
  type ModelOutput,
  type Scope,
  type Value,
} from "@thaw/core";
import * as tf from "@tensorflow/tfjs-core";
import { TINY } from "./tiny-parameters.js";

const EPSILON = 1e-5;

/**
 * The tiny model's forward pass: patches `[rows, 4]`, two residual layers, projector, two decoder layers.
 */
export function tinyForward(batch: LoadedBatch, scope: Scope, outputWeight: string): ModelOutput {
  const { hidden } = TINY;
  const pixels = batch.inputs.pixelValues;
  const rows = placeholderRows(batch.media, batch.tokenCount);
  let image: Value | undefined;
  // Without pixels the tower's output is known; with pixels and no tokens core runs the tower alone.
  const owned = <T>(owners: FindOwners, run: () => T): T =>
    scope.owned === undefined ? run() : scope.owned(owners, run);
  if (batch.media.length > 0) {
    const inputs = pixels === undefined ? [] : [scope.constant(pixels.tensor)];
    const owners = ownersOfItems(batch.media, "pixelValues");
    const features = owned(owners, () => scope.segment("vision_tower", inputs, (value) => visionTower(scope, value!)));
    image = owned(owners, () =>
      scope.segment("multi_modal_projector", [features], (value) => projector(scope, value!)),
    );
  }
  const inputs = image === undefined ? [] : [image];
  const embedded = scope.segment("language_model.embed_tokens", inputs, (features) => {
    const words = embedding(scope.parameter("language_model.embed_tokens.weight"), batch.tokenIds, [
      batch.tokenIds.length,
    ]);
    const all = features === undefined ? words : scatterRows(words, rows, features);
    return reshape(all, [batch.batchSize, batch.tokenCount, hidden]);
  });
  const mask = scope.own(causalMask(batch.tokenCount));
  const tokens = ownersOfTokens(Int32Array.from(batch.tokenIds.keys()), batch);
  let value = embedded;
  for (let layer = 0; layer < TINY.languageLayers; layer += 1) {
    const before = value;
    value = owned(
      () => tokens,
      () =>
        scope.segment(`language_model.layers.${layer}`, [before], (input) =>
          decoderLayer(scope, input!, mask.tensor, layer),
        ),
    );
  }
  const last = scope.segment("language_model.norm", [value], (input) =>
    rmsNorm(input!, scope.parameter("language_model.norm.weight"), EPSILON),
  );
  const flat = reshape(last, [batch.batchSize * batch.tokenCount, hidden]);
  return {
    hidden: last,
    logits: (selected) =>
      scope.segment("lm_head", [flat], (rowsOf) =>
        linear(selected === null ? rowsOf! : gatherRows(rowsOf!, selected), scope.parameter(outputWeight)),
      ),
    crossEntropy: (selected, targets, options) =>
      scope.segment("lm_head", [flat], (rowsOf) =>
        crossEntropy(gatherRows(rowsOf!, selected), scope.parameter(outputWeight), targets, options ?? {}),
      ),
  };
}

function visionTower(scope: Scope, pixels: Value): Value {
  let value = scope.segment("vision_tower.patch_embedding", [pixels], (patches) =>
    scope.linear(patches!, "vision_tower.patch_embedding"),
  );
  for (let layer = 0; layer < TINY.visionLayers; layer += 1) {
    const prefix = `vision_tower.layers.${layer}`;
    value = scope.segment(prefix, [value], (input) => {
      const normed = layerNorm(
        input!,
        scope.parameter(`${prefix}.layer_norm.weight`),
        scope.parameter(`${prefix}.layer_norm.bias`),
        EPSILON,
      );
      return add(input!, gelu(scope.linear(normed, `${prefix}.mlp`)));
    });
  }
  return value;
}

function projector(scope: Scope, features: Value): Value {
  return scope.linear(gelu(scope.linear(features, "multi_modal_projector.linear_1")), "multi_modal_projector.linear_2");
}

function decoderLayer(scope: Scope, input: Value, mask: tf.Tensor, layer: number): Value {
  const prefix = `language_model.layers.${layer}`;
  const [batch, tokens] = input.shape as [number, number];
  const { heads, hidden } = TINY;
  const split = (value: Value): Value =>
    transpose(reshape(value, [batch, tokens, heads, hidden / heads]), [0, 2, 1, 3]);
  const normed = rmsNorm(input, scope.parameter(`${prefix}.input_layernorm.weight`), EPSILON);
  const [q, k, v] = ["q_proj", "k_proj", "v_proj"].map((part) =>
    split(scope.linear(normed, `${prefix}.self_attn.${part}`)),
  ) as [Value, Value, Value];
  const mixed = attention(q, k, v, { scale: 1 / Math.sqrt(hidden / heads), mask });
  const joined = reshape(transpose(mixed, [0, 2, 1, 3]), [batch, tokens, hidden]);
  const attended = add(input, scope.linear(joined, `${prefix}.self_attn.o_proj`));
  const second = rmsNorm(attended, scope.parameter(`${prefix}.post_attention_layernorm.weight`), EPSILON);
  const gated = swiglu(scope.linear(second, `${prefix}.mlp.gate_proj`), scope.linear(second, `${prefix}.mlp.up_proj`));
  return add(attended, scope.linear(gated, `${prefix}.mlp.down_proj`));
}

/**
 * `[1, 1, tokens, tokens]`: 0 on and below the diagonal, -1e9 above. Padding is on the right, so no real token sees it.
 */
function causalMask(tokens: number): tf.Tensor {
  const values = new Float32Array(tokens * tokens);
  for (let query = 0; query < tokens; query += 1) values.fill(-1e9, query * tokens + query + 1, (query + 1) * tokens);
  return tf.tensor(values, [1, 1, tokens, tokens]);
}
