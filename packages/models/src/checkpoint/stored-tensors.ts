import { join } from "node:path";
import { isSegmentPrefix, type ParameterInfo, type StoredTensor } from "@thaw/contracts";
import { openSafetensors, proveFile, readManifest, type TensorEntry } from "@thaw/safetensors";
import { tensorNotFloat, tensorsMisshaped, tensorsMissing, tensorsUnexpected } from "../errors.js";
import type { ParameterSpec } from "../contract/family.js";
import { containsRun } from "../owners/owners.js";

/** Dtypes that hold parameters. */
const FLOATS = new Set(["F32", "BF16", "F16", "F64"]);

/** What a checkpoint holds for a model. */
export interface StoredTensors {
  readonly parameters: readonly ParameterInfo[];
  readonly buffers: readonly StoredTensor[];
}

/** Reads the headers of a checkpoint's weights. @throws THAW_SAFETENSORS_* */
export async function readHeaders(path: string): Promise<ReadonlyMap<string, TensorEntry>> {
  const reader = await openSafetensors(path);
  await reader.close();
  return reader.entries;
}

/**
 * Compares the files beside the weights (config, tokenizer, template, processor) with the manifest of a folder that
 * Thaw wrote; a folder without one is somebody else's. @throws THAW_SAFETENSORS_DAMAGED
 */
export async function proveCompanions(folder: string): Promise<void> {
  const manifest = await readManifest(folder);
  for (const [name, { tensors }] of manifest ?? [])
    if (tensors === undefined) await proveFile(join(folder, name), manifest!);
}

/** The stored tensors that are parameters or buffers: not those that a family or the user ignores. */
export function withoutIgnored(
  entries: ReadonlyMap<string, TensorEntry>,
  ignoredRuns: readonly string[],
  ignoredPrefixes: readonly string[],
): ReadonlyMap<string, TensorEntry> {
  const isIgnored = (name: string): boolean =>
    ignoredRuns.some((run) => containsRun(name, run)) ||
    ignoredPrefixes.some((prefix) => isSegmentPrefix(prefix, name));
  return new Map([...entries].filter(([name]) => !isIgnored(name)));
}

/**
 * Compares what a config asks for with what the weights hold; `isInitialized` names need not be there.
 * @throws THAW_CHECKPOINT_TENSOR_MISSHAPED, _MISSING, _UNEXPECTED, _DTYPE, each with all tensors that it is true of
 */
export function matchTensors(
  source: string,
  specs: readonly ParameterSpec[],
  stored: ReadonlyMap<string, TensorEntry>,
  isInitialized: (name: string) => boolean,
): StoredTensors {
  const expected = new Map(
    specs.flatMap((spec) => [spec.name, ...(spec.tiedNames ?? [])].map((name) => [name, spec] as const)),
  );
  const wanted = specs.filter(({ name }) => !isInitialized(name));
  const missing = wanted.filter(({ name }) => !stored.has(name)).map(({ name }) => name);
  const unexpected = [...stored.keys()].filter((name) => !expected.has(name));
  const misshaped = wanted.flatMap(({ name, shape }) => {
    const found = stored.get(name)?.shape;
    return found === undefined || sameShape(found, shape) ? [] : [{ name, expected: shape, found }];
  });
  if (misshaped.length > 0) throw tensorsMisshaped(source, misshaped);
  if (missing.length > 0) throw tensorsMissing(source, missing, unexpected);
  if (unexpected.length > 0) throw tensorsUnexpected(source, unexpected, [...expected.keys()]);
  const infoOf = ({ name, shape, tiedNames, isLinear }: ParameterSpec): ParameterInfo => ({
    name,
    shape,
    dtype: isInitialized(name) ? "F32" : floatDtype(source, stored.get(name)!),
    ...(tiedNames === undefined ? {} : { tiedNames }),
    ...(isLinear === true ? { isLinear } : {}),
  });
  return {
    parameters: specs.filter(({ isBuffer }) => isBuffer !== true).map(infoOf),
    buffers: specs.filter(({ isBuffer }) => isBuffer === true).map(infoOf),
  };
}

/** Every stored float tensor, for model types whose parameters no family lists. */
export function storedTensors(stored: ReadonlyMap<string, TensorEntry>): StoredTensors {
  const floats = [...stored.values()].filter(({ dtype }) => FLOATS.has(dtype));
  return { parameters: floats.map(({ name, shape, dtype }) => ({ name, shape, dtype })), buffers: [] };
}

function floatDtype(source: string, { name, dtype }: TensorEntry): string {
  if (!FLOATS.has(dtype)) throw tensorNotFloat(source, name, dtype);
  return dtype;
}

function sameShape(left: readonly number[], right: readonly number[]): boolean {
  return left.length === right.length && left.every((size, axis) => size === right[axis]);
}
