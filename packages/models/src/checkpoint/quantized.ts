import {
  dequantize,
  joinQuantized,
  pairTable,
  type QuantizedLayout,
  type QuantizedParts,
  signedTable,
} from "@thaw/autograd";
import { elementCount, type LoadedValues, parseJson } from "@thaw/contracts";
import { openSafetensors, type SafetensorsReader, type TensorEntry } from "@thaw/safetensors";
import { badQuantized } from "../errors.js";

/** A matrix that a checkpoint holds in 4 or 8 bits. */
export interface StoredQuantized {
  readonly name: string;
  /** `NF4`, `FP4` or `INT8`. */
  readonly dtype: string;
  readonly layout: QuantizedLayout;
  /** Of nested scales: what is added to all. */
  readonly offset?: number;
}

/** What a file holds, its quantised matrices by their own shapes, and without the tensors that belong to them. */
export interface ReadQuantized {
  readonly entries: ReadonlyMap<string, TensorEntry>;
  readonly quantized: ReadonlyMap<string, StoredQuantized>;
}

/** `weight.quant_state.bitsandbytes__nf4`. */
const STATE = /^(?<name>.+)\.quant_state\.bitsandbytes__(?<kind>nf4|fp4)$/u;
const ROW_SCALES = ".SCB";
const WEIGHT = ".weight";
/** The largest of int8. */
const LARGEST = 127;

/**
 * Finds matrices that bitsandbytes has quantised. In 4 bits: `weight` (codes), `weight.absmax`, `weight.quant_map`,
 * where scales are nested `weight.nested_absmax` and `weight.nested_quant_map`, and JSON in
 * `weight.quant_state.bitsandbytes__nf4` or `__fp4`. In 8 bits: `weight` (whole numbers), `SCB` (the largest value of
 * each row) and `weight_format`.
 * Source: bitsandbytes 0.50, `functional.py` (`QuantState.as_dict`), `nn/modules.py` (`Linear8bitLt`).
 * @throws THAW_CHECKPOINT_QUANTIZED
 */
export async function readQuantized(folder: string, stored: ReadonlyMap<string, TensorEntry>): Promise<ReadQuantized> {
  const names = [...stored.keys()];
  const states = names.flatMap((key) => {
    const { name, kind } = STATE.exec(key)?.groups ?? {};
    return name === undefined || kind === undefined ? [] : [{ key, name, kind }];
  });
  const ofRows = names.flatMap((key) => (key.endsWith(ROW_SCALES) ? [key.slice(0, -ROW_SCALES.length)] : []));
  if (states.length === 0 && ofRows.length === 0) return { entries: stored, quantized: new Map() };
  const entries = new Map(stored);
  const quantized = new Map<string, StoredQuantized>();
  const take = (found: StoredQuantized, others: readonly string[]): void => {
    const own = stored.get(found.name);
    if (own === undefined) throw badQuantized(folder, found.name, "its codes are missing");
    for (const other of others) entries.delete(other);
    entries.set(found.name, { ...own, shape: found.layout.shape, dtype: "F32" });
    quantized.set(found.name, found);
  };
  const reader = await openSafetensors(folder);
  try {
    for (const { key, name, kind } of states) {
      const state = stateOf(folder, name, await reader.readBytes(key));
      take({ name, dtype: kind.toUpperCase(), ...state }, [
        key,
        ...["absmax", "quant_map", "nested_absmax", "nested_quant_map"].map((part) => `${name}.${part}`),
      ]);
    }
    for (const module of ofRows) {
      const name = module + WEIGHT;
      const format = `${module}.weight_format`;
      if (stored.has(format) && (await reader.readBytes(format))[0] !== 0)
        throw badQuantized(folder, name, "its numbers are not stored row by row");
      const shape = matrixShape(folder, name, stored.get(name)?.shape);
      take({ name, dtype: "INT8", layout: { shape, bits: 8, block: shape[1] } }, [module + ROW_SCALES, format]);
    }
  } finally {
    await reader.close();
  }
  return { entries, quantized };
}

const told = (value: unknown): string => JSON.stringify(value) ?? "missing";

/** What the JSON beside a matrix of 4 bits says. */
function stateOf(folder: string, name: string, bytes: Uint8Array): Pick<StoredQuantized, "layout" | "offset"> {
  let state: unknown;
  try {
    state = parseJson(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    throw badQuantized(folder, name, "its quant_state is not JSON");
  }
  const {
    shape,
    blocksize,
    nested_blocksize: nestedBlock,
    nested_offset: offset,
  } = Object(state) as Record<string, unknown>;
  if (!isBlock(blocksize)) throw badQuantized(folder, name, `its blocksize is ${told(blocksize)}`);
  const layout = { shape: matrixShape(folder, name, shape), bits: 4 as const, block: blocksize };
  if (nestedBlock === undefined) return { layout };
  if (!isBlock(nestedBlock) || !Number.isFinite(offset))
    throw badQuantized(folder, name, `its nested_blocksize is ${told(nestedBlock)}, its offset ${told(offset)}`);
  return { layout: { ...layout, nestedBlock }, offset: offset as number };
}

/** Whole words of codes. */
function isBlock(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 8 && (value as number) % 8 === 0;
}

function matrixShape(folder: string, name: string, shape: unknown): readonly [number, number] {
  const isMatrix =
    Array.isArray(shape) && shape.length === 2 && shape.every((size) => Number.isSafeInteger(size) && size > 0);
  if (!isMatrix) throw badQuantized(folder, name, `its shape is ${JSON.stringify(shape)}`);
  return [shape[0] as number, shape[1] as number];
}

/**
 * A quantised matrix as the checkpoint stores it. @throws THAW_CHECKPOINT_QUANTIZED, THAW_SAFETENSORS_*
 */
export async function loadQuantized(
  folder: string,
  reader: SafetensorsReader,
  stored: StoredQuantized,
): Promise<LoadedValues> {
  const { name, layout } = stored;
  const parts = await (layout.bits === 8 ? rowParts(reader, name) : blockParts(reader, stored));
  const expected = elementCount(layout.shape);
  const [codes, scales] = [Math.ceil((expected * layout.bits) / 8), Math.ceil(expected / layout.block)];
  const nestedScales = Math.ceil(scales / (layout.nestedBlock ?? 1));
  if (parts.codes.length !== codes || parts.scales.length !== scales)
    throw badQuantized(folder, name, `it has ${parts.codes.length} bytes of codes and ${parts.scales.length} scales`);
  if (parts.nested !== undefined && (parts.nested.scales.length !== nestedScales || parts.nested.table.length !== 256))
    throw badQuantized(folder, name, "its nested scales are not as many as its scales need");
  const quantized = joinQuantized(layout, parts);
  return {
    name,
    quantized,
    file: reader.entry(name).file,
    get values() {
      return dequantize(quantized);
    },
  };
}

async function rowParts(reader: SafetensorsReader, name: string): Promise<QuantizedParts> {
  const scales = await reader.readFloat32(name.slice(0, -WEIGHT.length) + ROW_SCALES);
  return {
    codes: await reader.readBytes(name),
    table: signedTable(),
    scales: scales.map((largest) => largest / LARGEST),
  };
}

async function blockParts(
  reader: SafetensorsReader,
  { name, layout, offset = 0 }: StoredQuantized,
): Promise<QuantizedParts> {
  const codes = await reader.readBytes(name);
  const table = pairTable(await reader.readFloat32(`${name}.quant_map`));
  if (layout.nestedBlock === undefined) return { codes, table, scales: await reader.readFloat32(`${name}.absmax`) };
  const nested = {
    table: await reader.readFloat32(`${name}.nested_quant_map`),
    scales: await reader.readFloat32(`${name}.nested_absmax`),
    offset,
  };
  return { codes, table, scales: await reader.readBytes(`${name}.absmax`), nested };
}
