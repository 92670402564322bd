import { shown, parseJson, elementCount } from "@thaw/contracts";
import { ELEMENT_BYTES, isDtype, type SafetensorsDtype } from "./dtype.js";
import { malformed } from "./errors.js";
import { duplicateKeys } from "./json-keys.js";

/** One tensor of a file, from the header alone. */
export interface TensorEntry {
  readonly name: string;
  readonly dtype: SafetensorsDtype;
  readonly shape: readonly number[];
  /** File that holds it. */
  readonly file: string;
  /** First byte in the file, and the byte after the last. */
  readonly begin: number;
  readonly end: number;
}

/** What the header of one file says. */
export interface Header {
  readonly entries: readonly TensorEntry[];
  readonly metadata: Readonly<Record<string, string>>;
}

/** Upper limit of the header, as in the reference implementation. */
export const MAX_HEADER_BYTES = 100_000_000;

const DAMAGED = "Download or write the file again.";

/** Checks the length field of a file. @throws THAW_SAFETENSORS_MALFORMED */
export function checkHeaderLength(file: string, length: bigint, fileBytes: number): number {
  if (length > BigInt(MAX_HEADER_BYTES))
    throw malformed(
      file,
      "header-too-long",
      `The header claims ${length} bytes; at most ${MAX_HEADER_BYTES} are allowed.`,
      "This is likely not a safetensors file.",
    );
  if (8 + Number(length) > fileBytes)
    throw malformed(
      file,
      "header-past-end",
      `The header claims ${length} bytes, but the file has only ${fileBytes}.`,
      DAMAGED,
    );
  if (length < 2n)
    throw malformed(
      file,
      "header-too-short",
      `The header claims ${length} bytes; the shortest is 2.`,
      "This is likely not a safetensors file.",
    );
  return Number(length);
}

/**
 * Parses and validates a header: JSON object, no duplicate names, known dtypes, sizes that match the shapes, and
 * offsets that cover the data without gap, overlap or excess. @throws THAW_SAFETENSORS_MALFORMED
 */
export function parseHeader(file: string, text: string, fileBytes: number, dataStart: number): Header {
  const record = parseObject(file, text);
  const { __metadata__: metadata = {}, ...tensors } = record;
  const entries = Object.entries(tensors).map(([name, value]) => parseEntry(file, name, value, dataStart));
  checkCoverage(file, entries, dataStart, fileBytes);
  return { entries, metadata: parseMetadata(file, metadata) };
}

function parseObject(file: string, text: string): Record<string, unknown> {
  let parsed: unknown;
  try {
    parsed = parseJson(text);
  } catch (cause) {
    throw malformed(file, "header-not-json", `The header is not JSON: ${(cause as Error).message}.`, DAMAGED);
  }
  if (!isRecord(parsed) || !text.startsWith("{"))
    throw malformed(file, "header-not-object", "The header is not a JSON object.", DAMAGED);
  const twice = duplicateKeys(text);
  if (twice.length > 0)
    throw malformed(
      file,
      "duplicate-name",
      `The header names ${twice.join(", ")} more than once.`,
      "Write the file again with one tensor a name.",
      { names: twice },
    );
  return parsed;
}

function parseMetadata(file: string, value: unknown): Readonly<Record<string, string>> {
  if (isRecord(value) && Object.values(value).every((item) => typeof item === "string"))
    return value as Record<string, string>;
  throw malformed(file, "metadata", "The entry __metadata__ is not a map of strings.", "Write the file again.");
}

function parseEntry(file: string, name: string, value: unknown, dataStart: number): TensorEntry {
  if (!isRecord(value))
    throw malformed(file, "entry-not-object", `The entry of tensor ${name} is not a JSON object.`, DAMAGED, { name });
  const { dtype, shape, data_offsets: offsets } = value;
  if (!isDtype(dtype))
    throw malformed(
      file,
      "unknown-dtype",
      `The tensor ${name} has the unknown dtype ${shown(dtype)}.`,
      `Known are ${Object.keys(ELEMENT_BYTES).join(", ")}.`,
      { name, dtype },
    );
  if (!isNaturals(shape) || !Number.isSafeInteger(elementCount(shape)))
    throw malformed(
      file,
      "bad-shape",
      `The tensor ${name} has the shape ${shown(shape)}, which is not a list of sizes.`,
      DAMAGED,
      { name },
    );
  if (!isNaturals(offsets) || offsets.length !== 2 || offsets[0]! > offsets[1]!)
    throw malformed(
      file,
      "bad-offsets",
      `The tensor ${name} has the offsets ${shown(offsets)}, which are not a range.`,
      DAMAGED,
      { name },
    );
  const [begin, end] = offsets as [number, number];
  const wanted = elementCount(shape) * ELEMENT_BYTES[dtype];
  if (end - begin !== wanted) {
    throw malformed(
      file,
      "size-mismatch",
      `The tensor ${name} of dtype ${dtype} and shape [${shape.join(", ")}] needs ${wanted} bytes, but its ` +
        `offsets span ${end - begin}.`,
      DAMAGED,
      { name },
    );
  }
  return { name, dtype, shape, file, begin: dataStart + begin, end: dataStart + end };
}

function checkCoverage(file: string, entries: readonly TensorEntry[], dataStart: number, fileBytes: number): void {
  const ordered = [...entries].sort((left, right) => left.begin - right.begin || left.end - right.end);
  let position = dataStart;
  let previous = "the header";
  for (const { name, begin, end } of ordered) {
    if (end > fileBytes)
      throw malformed(
        file,
        "past-end",
        `The tensor ${name} ends at byte ${end}, but the file has only ${fileBytes}.`,
        "The file is cut off: download or write it again.",
        { name },
      );
    if (begin < position)
      throw malformed(file, "overlap", `The tensors ${previous} and ${name} overlap.`, DAMAGED, { name });
    if (begin > position)
      throw malformed(
        file,
        "gap",
        `${begin - position} bytes between ${previous} and ${name} belong to no tensor.`,
        DAMAGED,
        { name },
      );
    position = end;
    previous = name;
  }
  if (position !== fileBytes)
    throw malformed(file, "trailing-bytes", `${fileBytes - position} bytes at the end belong to no tensor.`, DAMAGED);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isNaturals(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((item) => Number.isSafeInteger(item) && item >= 0);
}
