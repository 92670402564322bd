import { nameList, type MediaItem, type Segment, type ThawError } from "@thaw/contracts";
import { make } from "./make.js";

/** A segment that the plan lets run unrecorded is in the way of a gradient. */
export function prefixNeedsGradient(segment: string): ThawError {
  return make(
    "THAW_CORE_PREFIX_NEEDS_GRADIENT",
    `The segment ${segment} is a prefix by the plan, but it was given a value that needs a gradient. In the ` +
      `model's forward pass. The model's segment table lacks an "after"; this is a bug of the model family.`,
    { segment },
  );
}

/** A stretch asks for something that it was not given. */
export function outsideStretch(wanted: string): ThawError {
  return make(
    "THAW_CORE_OUTSIDE_STRETCH",
    `A stretch of the forward pass asks for ${wanted}, which it was not given. In the model's forward pass. Name ` +
      "every parameter and input of the stretch; this is a bug of the model family.",
    { wanted },
  );
}

/** The rows of all items of one input are put into one tensor, so they need one width. */
export function inputItemMisshaped(input: string, item: MediaItem, width: number, valueCount: number): ThawError {
  const { rows, width: own } = item.inputs[input]!;
  return make(
    "THAW_CORE_INPUT_MISSHAPED",
    `The input ${input} of ${itemText(item)} is declared as ${rows} rows of ${own} and has ${valueCount} values; the ` +
      `first item's rows have ${width}. In a micro-batch. All rows of an input need one width, and as many values as ` +
      "they declare; check the processor.",
    { input, contentKey: item.contentKey, rows, width: own, expectedWidth: width, valueCount },
  );
}

/** A segment gave other rows than it promised, or something that stands for its output has others. */
export function segmentRowsBroken(
  segment: string,
  shape: readonly number[],
  promised: {
    readonly rows: number;
    readonly itemCount: number;
    readonly item?: MediaItem;
    readonly itemRows?: number;
  },
): ThawError {
  const { rows, itemCount, item, itemRows } = promised;
  return make(
    "THAW_CORE_SEGMENT_ROWS",
    `The output of the segment ${segment} has shape [${shape.join(", ")}], but it promises ${rows} rows for ` +
      `${itemCount} items${item === undefined ? "" : `, ${itemRows} of them for ${itemText(item)}`}. In the forward ` +
      "pass. Give [rows, width] with the rows that outputRows says, item after item; where a plugin gives the " +
      "output, look there.",
    { segment, shape, rows, itemCount, ...(item === undefined ? {} : { contentKey: item.contentKey, itemRows }) },
  );
}

/** A segment gave other columns than the outputs that it declares have together, or what stands for it has others. */
export function segmentColumnsBroken(
  segment: string,
  shape: readonly number[],
  outputs: NonNullable<Segment["outputs"]>,
): ThawError {
  const columns = outputs.reduce((sum, { width }) => sum + width, 0);
  const declared = outputs.map(({ name, width }) => `${name} (${width})`).join(", ");
  return make(
    "THAW_CORE_SEGMENT_COLUMNS",
    `The output of the segment ${segment} has shape [${shape.join(", ")}], but it declares ${columns} columns: ` +
      `${declared}. In the forward pass. Give what joinColumns makes of the declared outputs; where a plugin gives ` +
      "the output, look there.",
    { segment, shape, columns, outputs },
  );
}

/** An item's columns are not where the text holds its placeholders. */
export function itemMisplaced(item: MediaItem, sampleId: string | undefined, problem: string): ThawError {
  return make(
    "THAW_CORE_ITEM_MISPLACED",
    `${sentenceStart(itemText(item))}, ${sampleText(sampleId)}, ${problem}. In a micro-batch. Give an item the ` +
      "columns of its placeholders, ascending, one for each row of its features; where a plugin changes the batch, " +
      "look there.",
    { sample: sampleId, row: item.sample, contentKey: item.contentKey, modality: item.modality, problem },
  );
}

/** A placeholder stands in the text, and no item says that it is its own: it would be read as a word. */
export function placeholderWithoutItem(place: {
  readonly id: number;
  readonly modality: string;
  readonly column: number;
  readonly row: number;
  readonly sample: string | undefined;
}): ThawError {
  const { id, modality, column, row, sample } = place;
  return make(
    "THAW_CORE_PLACEHOLDER_WITHOUT_ITEM",
    `Token ${id} in column ${column} of row ${row}, ${sampleText(sample)}, stands for the ${modality} features of an ` +
      "item, but no item of the batch has this column. In a micro-batch. Add the item to the batch's media with its " +
      "columns, or take the token out of the text.",
    { ...place },
  );
}

function sampleText(id: string | undefined): string {
  return id === undefined ? "a sample without an id" : `sample ${id}`;
}

function sentenceStart(text: string): string {
  return `${text[0]!.toUpperCase()}${text.slice(1)}`;
}

function itemText({ modality, contentKey, sample }: MediaItem): string {
  return `the ${modality} ${contentKey.slice(0, 16)} of row ${sample}`;
}

/** A segment was asked for alone that needs more than batch inputs. */
export function segmentHasNoOutput(segment: string, known: readonly string[], cause: unknown): ThawError {
  return make(
    "THAW_CORE_SEGMENT_HAS_NO_OUTPUT",
    `The segment ${segment} does not run on items alone. In runSegment. Segments of this model: ` +
      `${nameList(known, 12)}; only those that read items run alone.`,
    { segment, known },
    cause,
  );
}

/** No trained parameter had a part in the loss. */
export function lossReachesNothing(trained: readonly string[], step: number): ThawError {
  return make(
    "THAW_CORE_LOSS_REACHES_NOTHING",
    `The loss depends on none of the ${trained.length} trained parameters: ${nameList(trained)}. At step ` +
      `${step}. Train a parameter that lies on the way to the loss.`,
    { trained, step },
  );
}

/** A step without a single token to learn from. */
export function nothingSupervised(
  batches: readonly { readonly samples: readonly { readonly id: string }[] }[],
  step: number,
): ThawError {
  const samples = batches.flatMap((batch) => batch.samples.map(({ id }) => id));
  return make(
    "THAW_CORE_NOTHING_SUPERVISED",
    `No token of the step has a label, so there is nothing to learn from: samples ${nameList(samples)}. At step ` +
      `${step}. Check that these samples have answers and that maxLength does not cut them off.`,
    { samples, step },
  );
}

/** The loss or the gradient is infinite or not a number. */
export function lossNotFinite(
  loss: number,
  gradientNorm: number,
  step: number,
  found: { readonly cause: string; readonly advice: string; readonly details: Readonly<Record<string, unknown>> },
): ThawError {
  return make(
    "THAW_CORE_NOT_FINITE",
    `The loss is ${loss} and the gradient norm ${gradientNorm}: ${found.cause}. At step ${step}. ${found.advice}; ` +
      "nothing was updated with it.",
    { loss, gradientNorm, step, ...found.details },
  );
}

/** An evaluation's loss is infinite or not a number. */
export function evaluationNotFinite(loss: number, samples: readonly string[], step: number, cause: string): ThawError {
  return make(
    "THAW_CORE_EVALUATION_NOT_FINITE",
    `The evaluation loss of ${nameList(samples)} is ${loss}: ${cause}. After ${step} steps. Look at these samples, ` +
      "lower the learning rate, or resume from an earlier checkpoint.",
    { loss, samples, step },
  );
}

/** An evaluator measured something that is not a number. */
export function metricNotFinite(name: string, metric: string, value: number, step: number): ThawError {
  return make(
    "THAW_CORE_METRIC_NOT_FINITE",
    `The evaluation ${name} gave ${value} for ${metric}. After ${step} steps. Leave a metric out where there is ` +
      "nothing to measure.",
    { name, metric, value, step },
  );
}

/** An evaluation without a single token to measure. */
export function evaluationUnsupervised(name: string): ThawError {
  return make(
    "THAW_CORE_EVALUATION_UNSUPERVISED",
    `No token of the evaluation ${name} has a label, so there is no loss. In data.evaluation. Check that its samples ` +
      "have answers and that max_length does not cut them off.",
    { name },
  );
}

/** An optimizer returned values for a parameter without gradient. */
export function optimizerUpdatedFrozen(
  optimizer: string,
  plugin: string | undefined,
  names: readonly string[],
  step: number,
): ThawError {
  return make(
    "THAW_CORE_OPTIMIZER_UPDATED_FROZEN",
    `The optimizer ${optimizer}${plugin === undefined ? "" : ` of the plugin ${plugin}`} returned values for ` +
      `${nameList(names)}, which have no gradient. At step ${step}. An optimizer updates only parameters whose ` +
      "gradient it is given.",
    { optimizer, plugin, names, step },
  );
}

/** The training data is empty. */
export function noBatches(source: string): ThawError {
  return make(
    "THAW_CORE_NO_BATCHES",
    `The training source ${source} gave no batch. In data.train. Give a source with samples.`,
    { source },
  );
}
