import { isSegmentPrefix, itemsOf, outputOffsets, rowOffsets } from "@thaw/contracts";
import type { Batch, LoadedBatch, MediaItem, MediaTokens, Rows, Segment } from "@thaw/contracts";
import type { Value } from "@thaw/autograd";
import * as tf from "@tensorflow/tfjs-core";
import { checkPlaces } from "./places.js";
import { inputItemMisshaped, segmentColumnsBroken, segmentRowsBroken } from "../errors/passes.js";

/** A batch ready for `forward`. The caller frees it once the pass is over. */
export interface PreparedBatch {
  readonly batch: LoadedBatch;
  /** The same on the host, as the `batch` hook left it. */
  readonly host: Batch;
  /** Frees loaded inputs and substituted outputs. */
  dispose(): void;
}

/**
 * Loads the items that some segment still has to read; inputs whose segments are all substituted are absent, and items
 * without another are never loaded. Takes ownership of `batch.segmentOutputs`, also when it throws.
 * @throws THAW_CORE_ITEM_MISPLACED, THAW_CORE_PLACEHOLDER_WITHOUT_ITEM, THAW_CORE_INPUT_MISSHAPED,
 * THAW_CORE_SEGMENT_ROWS, THAW_CORE_SEGMENT_COLUMNS and what `load()` throws
 */
export async function loadBatch(
  batch: Batch,
  segments: readonly Segment[],
  mediaTokens: readonly MediaTokens[] = [],
): Promise<PreparedBatch> {
  let inputs: Readonly<Record<string, Rows>> = {};
  const dispose = (): void => disposeRows(inputs, batch.segmentOutputs);
  try {
    checkPlaces(batch, mediaTokens);
    for (const [name, { tensor, offsets }] of Object.entries(batch.segmentOutputs))
      checkOutput(segments, name, batch.media, tensor.shape, offsets);
    inputs = await loadMedia(batch.media, (name) => isNeeded(name, segments, batch.segmentOutputs));
  } catch (error) {
    dispose();
    throw error;
  }
  return { batch: { ...batch, inputs }, host: batch, dispose };
}

/**
 * Loads items, and puts the rows of each wanted input into one tensor, which the caller disposes. @throws
 * THAW_CORE_INPUT_MISSHAPED
 */
export async function loadMedia(
  media: readonly MediaItem[],
  isWanted: (input: string) => boolean,
): Promise<Readonly<Record<string, Rows>>> {
  const names = [...new Set(media.flatMap(({ inputs }) => Object.keys(inputs)))].filter(isWanted);
  const loaded = await Promise.all(
    media.map(async (item) => (names.some((name) => item.inputs[name] !== undefined) ? item.load() : {})),
  );
  const parts = names.map((name) => inputParts(name, media, loaded));
  return Object.fromEntries(
    parts.map(({ values, width, offsets }, index) => [names[index]!, { tensor: joinRows(values, width), offsets }]),
  );
}

/** A batch of loaded items without a token, on which a segment that reads items runs by itself. */
export function itemsAlone(media: readonly MediaItem[], inputs: LoadedBatch["inputs"]): LoadedBatch {
  const empty = new Int32Array(0);
  return {
    tokenIds: empty,
    attentionMask: empty,
    labels: empty,
    batchSize: 0,
    tokenCount: 0,
    media,
    inputs,
    segmentOutputs: {},
    samples: [],
  };
}

/** Frees the tensors of rows. */
export function disposeRows(...groups: readonly Readonly<Record<string, Rows>>[]): void {
  for (const group of groups) for (const { tensor } of Object.values(group)) tensor.dispose();
}

/**
 * Holds what a segment made, or what stands for it, to the rows that it promised for each of the items that it reads,
 * and to the columns of the outputs that it declares.
 * @throws THAW_CORE_SEGMENT_ROWS, THAW_CORE_SEGMENT_COLUMNS
 */
export function checkOutput(
  segments: readonly Segment[],
  name: string,
  media: readonly MediaItem[],
  shape: readonly number[],
  offsets?: Int32Array,
): void {
  const segment = segments.find((one) => one.name === name);
  if (segment === undefined) return;
  if (segment.reads.length > 0) checkRows(segment, media, shape, offsets);
  const { outputs } = segment;
  if (outputs !== undefined && shape.at(-1) !== outputs.reduce((sum, { width }) => sum + width, 0))
    throw segmentColumnsBroken(name, shape, outputs);
}

/** Called with every output of a pass on the batch: holds segments to their promises. */
export function outputChecker(
  segments: readonly Segment[],
  media: readonly MediaItem[],
): (segment: string, output: Value) => void {
  return (segment, output) => checkOutput(segments, segment, media, output.shape);
}

function checkRows(
  segment: Segment,
  media: readonly MediaItem[],
  shape: readonly number[],
  offsets: Int32Array | undefined,
): void {
  const items = itemsOf(segment, media);
  const promised = outputOffsets(segment, items);
  const isKept = shape.length === 2 && shape[0] === promised.at(-1);
  const wrong = offsets === undefined ? -1 : promised.findIndex((offset, index) => offset !== offsets[index]);
  if (isKept && wrong < 0 && (offsets === undefined || offsets.length === promised.length)) return;
  // Of rows of several items that are only too many or too few together, no item is known to be the wrong one.
  const at = wrong < 0 && items.length > 1 ? items.length : Math.max(0, wrong - 1);
  const item = items[at];
  throw segmentRowsBroken(segment.name, shape, {
    rows: promised.at(-1)!,
    itemCount: items.length,
    ...(item === undefined ? {} : { item, itemRows: promised[at + 1]! - promised[at]! }),
  });
}

function inputParts(
  name: string,
  media: readonly MediaItem[],
  loaded: readonly Readonly<Record<string, Float32Array>>[],
): { readonly values: readonly Float32Array[]; readonly width: number; readonly offsets: Int32Array } {
  const parts = media.flatMap((item, index) => {
    const size = item.inputs[name];
    return size === undefined ? [] : [{ item, size, values: loaded[index]![name] }];
  });
  const { width } = parts[0]!.size;
  const values = parts.map(({ item, size, values: own }) => {
    if (size.width !== width || own?.length !== size.rows * width)
      throw inputItemMisshaped(name, item, width, own?.length ?? 0);
    return own;
  });
  return { values, width, offsets: rowOffsets(parts.map(({ size }) => size.rows)) };
}

/**
 * Rows of the host, `[rows, width]` each, one after the other on the device. Joined there: on the host, memory for all
 * of them together costs more time than the rows do.
 */
function joinRows(parts: readonly Float32Array[], width: number): tf.Tensor {
  return tf.tidy(() => {
    const tensors = parts.map((values) => tf.tensor2d(values, [values.length / width, width], "float32"));
    return tensors.length === 1 ? tensors[0]! : tf.concat(tensors, 0);
  });
}

/** False if every segment that reads the input, or one around it, has a known output. */
function isNeeded(input: string, segments: readonly Segment[], outputs: Readonly<Record<string, unknown>>): boolean {
  const readers = segments.filter(({ reads }) => reads.includes(input));
  return readers.length === 0 || readers.some(({ name }) => !isSubstituted(name, outputs));
}

function isSubstituted(segment: string, outputs: Readonly<Record<string, unknown>>): boolean {
  return Object.keys(outputs).some((known) => isSegmentPrefix(known, segment));
}
