import {
  nearestNames,
  toCamelCase,
  type Direction,
  type Metric,
  type MetricFactory,
  type ProvidedMetrics,
  type StandardResult,
} from "@thaw/core";
import { z } from "zod";
import { metricsInvalid } from "../errors.js";

/** A metric as a config names it: its type alone, or with its options and a name of its own. */
export type MetricOptions = string | (ProvidedMetrics[keyof ProvidedMetrics] & { readonly name?: string | undefined });

/** A metric that a config names, made with its options. */
export interface ChosenMetric {
  /** What results call it, in camelCase: its type (`tokenF1`) unless it is given one. */
  readonly name: string;
  readonly better: Direction;
  readonly metric: Metric;
}

/** A metric that reads answers. */
export interface AnswerMetric extends ChosenMetric {
  readonly metric: Extract<Metric, { readonly reads: "answers" }>;
}

/** A metric that reads how likely choices are. */
export interface ChoiceMetric extends ChosenMetric {
  readonly metric: Extract<Metric, { readonly reads: "choices" }>;
}

/** A metric that reads a set's loss. */
export interface LossReadingMetric extends ChosenMetric {
  readonly metric: Extract<Metric, { readonly reads: "loss" }>;
}

/** What evaluations measure where a config says nothing: words as they are. */
export const DEFAULT_METRICS: readonly MetricOptions[] = [
  { type: "token_f1", normalize: false },
  { type: "exact_match", normalize: false },
];

/** Names that results of an evaluation have anyway. */
const TAKEN = ["supervisedTokens", "samples", "unscored"];

const NAME = z
  .string()
  .regex(/^[A-Za-z][\w-]*$/, "a letter, then letters, digits, dash and underscore")
  .optional()
  .describe("What results call it; needed where one type is measured twice. Default: its type.");

/** One metric's options with `type` and `name`. */
function entrySchema({ type, summary, schema }: MetricFactory): z.ZodObject {
  const common = { type: z.literal(type).describe(summary), name: NAME };
  if (schema instanceof z.ZodObject) return z.strictObject({ ...common, ...schema.shape });
  // A schema of another maker checks its own options; what they are is not known here.
  return z.looseObject(common).superRefine((value, context) => {
    const { type: _type, name: _name, ...own } = value;
    const result = schema["~standard"].validate(own) as StandardResult<unknown>;
    for (const { message, path = [] } of result.issues ?? [])
      context.addIssue({
        code: "custom",
        message,
        path: path.map((part) => (typeof part === "object" ? part.key : part)),
      });
  });
}

type MetricsSchema = z.ZodType<MetricOptions[], MetricOptions[]>;

/** Made once for a list of factories, such as a registry's. */
const schemas = new WeakMap<readonly MetricFactory[], MetricsSchema>();

/** What `data.metrics` may be where these can be named. */
export function metricsSchemaOf(factories: readonly MetricFactory[]): MetricsSchema {
  const schema = schemas.get(factories) ?? schemaOf(factories);
  schemas.set(factories, schema);
  return schema;
}

function schemaOf(factories: readonly MetricFactory[]): MetricsSchema {
  const [first, ...others] = factories.map(entrySchema);
  const entry =
    first === undefined
      ? z.never("a metric that a plugin provides: there is none")
      : z.union([
          z.enum(factories.map(({ type }) => type)),
          z.discriminatedUnion("type", [first, ...others] as never).meta({ title: "Metric" }),
        ]);
  return z.array(entry).superRefine((entries, context) => {
    const names = new Set(TAKEN);
    for (const [index, options] of (entries as unknown as MetricOptions[]).entries()) {
      const name = nameOf(options);
      const type = typeof options === "string" ? options : options.type;
      if (names.has(name) || (name === "loss" && type !== "loss"))
        context.addIssue({
          code: "custom",
          path: [index],
          message: `a metric with a name of its own (name: ...), as results have a ${name} already`,
        });
      names.add(name);
    }
  }) as unknown as MetricsSchema;
}

function nameOf(options: MetricOptions): string {
  return toCamelCase(typeof options === "string" ? options : (options.name ?? options.type));
}

/** Makes the metrics that a config names. @throws THAW_CAPTIONS_METRICS_INVALID */
export function chosenMetrics(
  given: readonly MetricOptions[],
  factories: readonly MetricFactory[],
): readonly ChosenMetric[] {
  const result = metricsSchemaOf(factories).safeParse(given);
  if (!result.success) throw metricsInvalid(problemsOf(given, factories, result.error.issues));
  return result.data.map((options) => {
    const { type, name: _name, ...own } = typeof options === "string" ? { type: options } : options;
    // The schema let no other type through, and its own schema no other options.
    const factory = factories.find((one) => one.type === type)!;
    const { value } = factory.schema["~standard"].validate(own) as { readonly value: unknown };
    return { name: nameOf(options), better: factory.better, metric: factory.make(value) };
  });
}

/** What is wrong with metrics that a program names. */
function problemsOf(
  given: readonly MetricOptions[],
  factories: readonly MetricFactory[],
  issues: readonly { readonly path: readonly PropertyKey[]; readonly message: string }[],
): readonly string[] {
  const known = factories.map(({ type }) => type);
  const unknown = given
    .map((options) => (typeof options === "string" ? options : options.type))
    .filter((type) => !known.includes(type))
    .map((type) => {
      const near = nearestNames(type, known, 1)[0];
      return `there is no ${type}${near === undefined ? "" : `, the nearest is ${near}`}`;
    });
  return unknown.length > 0 ? unknown : issues.map(({ path, message }) => `${path.join(".")}: ${message}`);
}

/** Of a set's metrics those that read answers. */
export function answerMetrics(chosen: readonly ChosenMetric[]): readonly AnswerMetric[] {
  return chosen.filter((one): one is AnswerMetric => one.metric.reads === "answers");
}

/** Of a set's metrics those that read how likely choices are. */
export function choiceMetrics(chosen: readonly ChosenMetric[]): readonly ChoiceMetric[] {
  return chosen.filter((one): one is ChoiceMetric => one.metric.reads === "choices");
}

/** Of a set's metrics those that read its loss. */
export function lossMetrics(chosen: readonly ChosenMetric[]): readonly LossReadingMetric[] {
  return chosen.filter((one): one is LossReadingMetric => one.metric.reads === "loss");
}
