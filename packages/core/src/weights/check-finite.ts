import { firstNotFinite } from "@thaw/safetensors";
import { parameterNotFinite } from "../errors/parameters.js";

/** @throws THAW_CORE_PARAMETER_NOT_FINITE with the first value that is infinite or not a number, and its source */
export function checkFinite(name: string, values: Float32Array, source: string): void {
  const index = firstNotFinite(values);
  if (index >= 0) throw parameterNotFinite(name, index, values[index]!, source);
}
