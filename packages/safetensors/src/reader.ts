import { elementCount, nearestNames } from "@thaw/contracts";
import { bfloat16ToFloat32, float16ToFloat32 } from "./convert.js";
import { ELEMENT_BYTES } from "./dtype.js";
import { createHash } from "node:crypto";
import { damaged, notConvertible, outOfRange, unknownTensor } from "./errors.js";
import type { SafetensorsFile } from "./file.js";
import type { TensorEntry } from "./header.js";
import { addBytes } from "./proof.js";

/** A range of elements of a flattened tensor. */
export interface ElementRange {
  readonly start: number;
  readonly count: number;
}

/**
 * One opened file or set of shards. Reads are positioned, so several may run at once. A tensor of a file with a proof
 * is compared with it when it is read whole, as it streams by: THAW_SAFETENSORS_DAMAGED names file and tensor.
 */
export interface SafetensorsReader {
  /** The file or index that was opened. */
  readonly source: string;
  readonly entries: ReadonlyMap<string, TensorEntry>;
  readonly metadata: Readonly<Record<string, string>>;
  /** @throws THAW_SAFETENSORS_UNKNOWN_TENSOR with the nearest names */
  entry(name: string): TensorEntry;
  /** The bytes as stored. */
  readBytes(name: string, range?: ElementRange): Promise<Uint8Array>;
  /** F32, F16, BF16 or F64 as float32. @throws THAW_SAFETENSORS_NOT_CONVERTIBLE */
  readFloat32(name: string, range?: ElementRange): Promise<Float32Array>;
  /**
   * I64, I32, I16, I8, U16, U8 or BOOL as int32. @throws THAW_SAFETENSORS_NOT_CONVERTIBLE,
   * THAW_SAFETENSORS_OUT_OF_RANGE
   */
  readInt32(name: string, range?: ElementRange): Promise<Int32Array>;
  close(): Promise<void>;
}

/** Elements converted at a time, so that a narrow tensor never lies in memory whole beside its float32 form. */
const CHUNK_ELEMENTS = 2 ** 23;

/** Joins open files to one reader, which then owns them. Names must be unique. */
export function createReader(source: string, files: readonly SafetensorsFile[]): SafetensorsReader {
  const entries = new Map(files.flatMap((file) => file.entries.map((entry) => [entry.name, entry] as const)));
  const byPath = new Map(files.map((file) => [file.path, file]));
  const entryOf = (name: string): TensorEntry => {
    const entry = entries.get(name);
    if (entry === undefined) throw unknownTensor(name, source, nearestNames(name, entries.keys()));
    return entry;
  };
  const begin = (entry: TensorEntry, { count }: ElementRange): Read => {
    const file = byPath.get(entry.file)!;
    const isWhole = count === elementCount(entry.shape);
    const expected = isWhole ? file.proof?.tensors?.[entry.name] : undefined;
    const hash = expected === undefined ? undefined : createHash("sha256");
    let left = entry.end - entry.begin;
    return async (start, target) => {
      await file.read(target, entry.begin + start * ELEMENT_BYTES[entry.dtype]);
      if (hash === undefined) return;
      addBytes(hash, target);
      left -= target.length;
      if (left === 0 && hash.digest("hex") !== expected)
        throw damaged(entry.file, `the values of its tensor ${entry.name} are not those that were written`);
    };
  };
  return {
    source,
    entries,
    metadata: Object.assign({}, ...files.map((file) => file.metadata)) as Record<string, string>,
    entry: entryOf,
    async readBytes(name, range) {
      const entry = entryOf(name);
      return readAll(entry, checkRange(entry, range), begin);
    },
    readFloat32: async (name, range) => readFloats(entryOf(name), range, begin),
    readInt32: async (name, range) => readIntegers(entryOf(name), range, begin),
    close: async () => {
      await Promise.all(files.map((file) => file.close()));
    },
  };
}

/** Fills `target` from the element `start`; stretches of a whole tensor come in order. */
type Read = (start: number, target: Uint8Array) => Promise<void>;
/** Begins to read a range of a tensor. */
type Begin = (entry: TensorEntry, range: ElementRange) => Read;

async function readAll(entry: TensorEntry, range: ElementRange, begin: Begin): Promise<Uint8Array> {
  const bytes = new Uint8Array(range.count * ELEMENT_BYTES[entry.dtype]);
  await begin(entry, range)(range.start, bytes);
  return bytes;
}

function checkRange(entry: TensorEntry, range: ElementRange | undefined): ElementRange {
  const total = elementCount(entry.shape);
  if (range === undefined) return { start: 0, count: total };
  const { start, count } = range;
  const isInside =
    Number.isSafeInteger(start) && Number.isSafeInteger(count) && start >= 0 && count >= 0 && start + count <= total;
  if (!isInside)
    throw outOfRange(
      entry.name,
      `The elements ${start} to ${start + count} were asked for, but there are ${total}.`,
      entry.file,
    );
  return range;
}

async function readFloats(entry: TensorEntry, range: ElementRange | undefined, begin: Begin): Promise<Float32Array> {
  const { start, count } = checkRange(entry, range);
  const read = begin(entry, { start, count });
  const out = new Float32Array(count);
  if (entry.dtype === "F32") {
    await read(start, new Uint8Array(out.buffer));
    return out;
  }
  const convert = floatConverter(entry);
  for (let done = 0; done < count; done += CHUNK_ELEMENTS) {
    const bytes = new Uint8Array(Math.min(CHUNK_ELEMENTS, count - done) * ELEMENT_BYTES[entry.dtype]);
    await read(start + done, bytes);
    convert(bytes.buffer, out, done);
  }
  return out;
}

function floatConverter(entry: TensorEntry): (buffer: ArrayBuffer, out: Float32Array, offset: number) => void {
  if (entry.dtype === "BF16") return (buffer, out, offset) => bfloat16ToFloat32(new Uint16Array(buffer), out, offset);
  if (entry.dtype === "F16") return (buffer, out, offset) => float16ToFloat32(new Uint16Array(buffer), out, offset);
  if (entry.dtype === "F64") return (buffer, out, offset) => out.set(new Float64Array(buffer), offset);
  throw notConvertible(entry.name, entry.dtype, "float32", entry.file);
}

async function readIntegers(entry: TensorEntry, range: ElementRange | undefined, begin: Begin): Promise<Int32Array> {
  const bytes = await readAll(entry, checkRange(entry, range), begin);
  switch (entry.dtype) {
    case "I32":
      return new Int32Array(bytes.buffer);
    case "I16":
      return Int32Array.from(new Int16Array(bytes.buffer));
    case "U16":
      return Int32Array.from(new Uint16Array(bytes.buffer));
    case "I8":
      return Int32Array.from(new Int8Array(bytes.buffer));
    case "U8":
    case "BOOL":
      return Int32Array.from(bytes);
    case "I64":
      return narrow(entry, new BigInt64Array(bytes.buffer));
    default:
      throw notConvertible(entry.name, entry.dtype, "int32", entry.file);
  }
}

function narrow(entry: TensorEntry, values: BigInt64Array): Int32Array {
  return Int32Array.from(values, (value) => {
    if (BigInt.asIntN(32, value) !== value)
      throw outOfRange(entry.name, `The value ${value} does not fit into 32 bits.`, entry.file);
    return Number(value);
  });
}
