// @ts-check

/**
 * `in.input_features [chunks, mels, frames]` as frames `[rows, mels]`, clip after clip; of a clip's last chunk as many
 * frames as its plan has.
 * @param {import("@thaw/safetensors").SafetensorsReader} reader
 * @param {readonly import("@thaw/data").ItemPlan[]} plans
 */
export async function melFrames(reader, plans) {
  const [, mels, frames] = /** @type {[number, number, number]} */ (reader.entry("in.input_features").shape);
  const values = await reader.readFloat32("in.input_features");
  let chunk = 0;
  return plans.map(({ inputs }) => {
    const { rows } = /** @type {import("@thaw/contracts").RowSize} */ (inputs["inputFeatures"]);
    const first = chunk;
    chunk += Math.ceil(rows / frames);
    return {
      inputFeatures: Float32Array.from({ length: rows * mels }, (_, at) => {
        const [row, mel] = [Math.floor(at / mels), at % mels];
        const from = ((first + Math.floor(row / frames)) * mels + mel) * frames + (row % frames);
        return /** @type {number} */ (values[from]);
      }),
    };
  });
}

/**
 * `in.input_features [clips, frames, width]`: of each clip as many frames as its plan has; the others are padding.
 * @param {import("@thaw/safetensors").SafetensorsReader} reader
 * @param {readonly import("@thaw/data").ItemPlan[]} plans
 */
export async function paddedClips(reader, plans) {
  const [, frames, width] = /** @type {[number, number, number]} */ (reader.entry("in.input_features").shape);
  const values = await reader.readFloat32("in.input_features");
  return plans.map(({ inputs }, clip) => {
    const { rows } = /** @type {import("@thaw/contracts").RowSize} */ (inputs["inputFeatures"]);
    return { inputFeatures: values.slice(clip * frames * width, (clip * frames + rows) * width) };
  });
}
