import type { StoredTensor } from "@thaw/contracts";
import { openSafetensors, type SafetensorsReader } from "@thaw/safetensors";
import { tensorsMisshaped, tensorsMissing, unknownParameter } from "../errors.js";
import type { ParameterSpec } from "../contract/family.js";
import { initialValues } from "./initial-values.js";

/**
 * Values of the named parameters, float32, row-major, one at a time: read from the checkpoint, or made where `fresh`
 * lists the parameter. The files are open only while values are taken. @throws THAW_CHECKPOINT_UNKNOWN_PARAMETER,
 * THAW_CHECKPOINT_TENSOR_MISSING, THAW_CHECKPOINT_TENSOR_MISSHAPED, THAW_SAFETENSORS_*
 */
export async function* loadValues(
  folder: string,
  tensors: readonly StoredTensor[],
  fresh: ReadonlyMap<string, ParameterSpec>,
  seed: number,
  names: readonly string[],
): AsyncGenerator<{ readonly name: string; readonly values: Float32Array; readonly file?: string }> {
  const shapes = new Map(tensors.map(({ name, shape }) => [name, shape]));
  for (const name of names) if (!shapes.has(name)) throw unknownParameter(folder, name, [...shapes.keys()]);
  const reader = names.every((name) => fresh.has(name)) ? undefined : await openSafetensors(folder);
  try {
    for (const name of names) {
      const spec = fresh.get(name);
      if (spec !== undefined) yield { name, values: initialValues(spec, seed) };
      else {
        const values = await readStored(reader!, name, shapes.get(name)!, folder);
        yield { name, values, file: reader!.entry(name).file };
      }
    }
  } finally {
    await reader?.close();
  }
}

/** The file may have been replaced since the model was opened. */
async function readStored(
  reader: SafetensorsReader,
  name: string,
  expected: readonly number[],
  folder: string,
): Promise<Float32Array> {
  const found = reader.entries.get(name)?.shape;
  if (found === undefined) throw tensorsMissing(folder, [name], [...reader.entries.keys()]);
  if (found.join() !== expected.join()) throw tensorsMisshaped(folder, [{ name, expected, found }]);
  return reader.readFloat32(name);
}
