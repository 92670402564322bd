import type { ParameterInfo } from "@thaw/contracts";
import { openSafetensors } from "@thaw/safetensors";
import { unknownParameter } from "./errors.js";
import type { ParameterSpec } from "./family.js";
import { initialValues } from "./random.js";

/**
 * Values of the named parameters, float32, row-major, one at a time: read from the checkpoint, or made where `fresh` lists the parameter.
 * The files are open only while values are taken. @throws THAW_CHECKPOINT_UNKNOWN_PARAMETER, THAW_SAFETENSORS_*
 */
export async function* loadValues(
  folder: string,
  parameters: readonly ParameterInfo[],
  fresh: ReadonlyMap<string, ParameterSpec>,
  seed: number,
  names: readonly string[],
): AsyncGenerator<{ readonly name: string; readonly values: Float32Array }> {
  const known = new Set(parameters.map(({ name }) => name));
  for (const name of names) if (!known.has(name)) throw unknownParameter(folder, name, [...known]);
  const reader = names.every((name) => fresh.has(name)) ? undefined : await openSafetensors(folder);
  try {
    for (const name of names) {
      const spec = fresh.get(name);
      yield { name, values: spec === undefined ? await reader!.readFloat32(name) : initialValues(spec, seed) };
    }
  } finally {
    await reader?.close();
  }
}
