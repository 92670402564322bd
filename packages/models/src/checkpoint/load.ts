import type { LoadedValues, StoredTensor } from "@thaw/contracts";
import { openSafetensors, type SafetensorsReader } from "@thaw/safetensors";
import { partOf, type FusedPart } from "./fused-experts.js";
import { loadQuantized, type StoredQuantized } from "./quantized.js";
import { tensorsMisshaped, tensorsMissing, unknownParameter } from "../errors.js";
import type { ParameterSpec } from "../contract/family.js";
import { initialValues } from "./initial-values.js";

/** What values are read of. */
export interface LoadedFrom {
  readonly tensors: readonly StoredTensor[];
  /** Tensors that are part of a stored one. */
  readonly parts: ReadonlyMap<string, FusedPart>;
  /** Matrices that are stored in 4 or 8 bits. */
  readonly quantized: ReadonlyMap<string, StoredQuantized>;
  /** Those that are never trained: bounds that are infinite there become the largest numbers of bfloat16. */
  readonly buffers: ReadonlySet<string>;
  /** Parameters that are made instead. */
  readonly fresh: ReadonlyMap<string, ParameterSpec>;
  /** Decides what is made. */
  readonly seed: number;
}

/** Stored tensors whose parts are read one after the other: an expert's gate and up lie in one, its down in another. */
const KEPT_WHOLES = 2;
/** The largest finite number of bfloat16. */
const LARGEST = (2 - 2 ** -7) * 2 ** 127;

/**
 * Values of the named parameters, one at a time: read from the checkpoint, or made where `fresh`
 * lists the parameter. The files are open only while values are taken. @throws THAW_CHECKPOINT_UNKNOWN_PARAMETER,
 * THAW_CHECKPOINT_TENSOR_MISSING, THAW_CHECKPOINT_TENSOR_MISSHAPED, THAW_SAFETENSORS_*
 */
export async function* loadValues(
  folder: string,
  { tensors, parts, quantized, buffers, fresh, seed }: LoadedFrom,
  names: readonly string[],
): AsyncGenerator<LoadedValues> {
  const shapes = new Map(tensors.map(({ name, shape }) => [name, shape]));
  for (const name of names) if (!shapes.has(name)) throw unknownParameter(folder, name, [...shapes.keys()]);
  const reader = names.every((name) => fresh.has(name)) ? undefined : await openSafetensors(folder);
  const wholes = new Map<string, Float32Array>();
  try {
    for (const name of names) {
      const [spec, part, narrow] = [fresh.get(name), parts.get(name), quantized.get(name)];
      if (spec !== undefined) yield { name, values: initialValues(spec, seed) };
      else if (narrow !== undefined) yield await loadQuantized(folder, reader!, narrow);
      else if (part !== undefined) yield { name, ...(await readPart(reader!, part, wholes, folder)) };
      else {
        const values = await readStored(reader!, name, shapes.get(name)!, folder);
        yield { name, values: buffers.has(name) ? bounded(values) : values, file: reader!.entry(name).file };
      }
    }
  } finally {
    await reader?.close();
  }
}

/** Transformers starts bounds from infinity (Gemma 4's clipped layers); a checkpoint is written with finite values. */
function bounded(values: Float32Array): Float32Array {
  return values.map((value) => (Math.abs(value) === Infinity ? Math.sign(value) * LARGEST : value));
}

/** Values of a stored tensor; the last tensors that were read are kept for its neighbours. */
async function readPart(
  reader: SafetensorsReader,
  part: FusedPart,
  wholes: Map<string, Float32Array>,
  folder: string,
): Promise<{ readonly values: Float32Array; readonly file: string }> {
  const { stored } = part;
  if (!wholes.has(stored)) {
    if (!reader.entries.has(stored)) throw tensorsMissing(folder, [stored], [...reader.entries.keys()]);
    if (wholes.size >= KEPT_WHOLES) wholes.delete([...wholes.keys()][0]!);
    wholes.set(stored, await reader.readFloat32(stored));
  }
  return { values: partOf(wholes.get(stored)!, part), file: reader.entry(stored).file };
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
