import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { ParameterInfo } from "@thaw/core";
import { TINY } from "./tiny-parameters.js";

/** Writes `config.json` and `model.safetensors` (github.com/huggingface/safetensors, "Format"). */
export async function writeCheckpoint(
  folder: string,
  parameters: readonly ParameterInfo[],
  values: (name: string) => Promise<Float32Array>,
): Promise<void> {
  await mkdir(folder, { recursive: true });
  const header: Record<string, unknown> = { __metadata__: { format: "pt" } };
  const parts: Uint8Array[] = [];
  let offset = 0;
  for (const { name, shape } of parameters) {
    const data = await values(name);
    header[name] = { dtype: "F32", shape, data_offsets: [offset, offset + data.byteLength] };
    parts.push(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    offset += data.byteLength;
  }
  const text = JSON.stringify(header);
  const json = new TextEncoder().encode(text.padEnd(Math.ceil(text.length / 8) * 8));
  const length = new Uint8Array(new BigUint64Array([BigInt(json.length)]).buffer);
  await writeFile(join(folder, "model.safetensors"), Buffer.concat([length, json, ...parts]));
  await writeFile(join(folder, "config.json"), `${JSON.stringify({ model_type: "thaw_tiny", ...TINY }, null, 2)}\n`);
}
