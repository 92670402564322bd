import { z } from "zod";

const count = z.number();
/** JSON has no NaN and no infinity: they are null in the file, and NaN when they are read. */
const measured = z
  .number()
  .nullable()
  .transform((value) => value ?? Number.NaN);
const byName = z.record(z.string(), measured).readonly();

const stepSchema = z.object({
  event: z.literal("step"),
  step: count,
  epoch: count,
  loss: measured,
  gradientNorm: measured,
  learningRates: byName,
  supervisedTokens: count,
  tokens: count,
  durationMs: count,
  gradientNorms: byName.optional(),
  updateRatios: byName.optional(),
  times: z.object({ loadMs: count, passesMs: count, updateMs: count }).readonly().optional(),
  peakBytes: count.optional(),
  metrics: byName.optional(),
});

const evaluatedSchema = z.object({
  event: z.literal("evaluated"),
  step: count,
  epoch: count,
  name: z.string(),
  metrics: byName,
  lower: z.array(z.string()).readonly().optional(),
  durationMs: count.optional(),
});

const baselineSchema = z.object({
  event: z.literal("baseline"),
  step: count,
  name: z.string(),
  baseline: z.string(),
  metrics: byName,
  text: z.string().optional(),
});

const lineSchema = z.discriminatedUnion("event", [stepSchema, evaluatedSchema, baselineSchema]);

/**
 * One optimizer step. `step` counts the steps done, this one included; `learningRates` by group, `gradientNorms` and
 * `updateRatios` by component (see `AfterStepContext`); `metrics` is what plugins measured, absent where they measured
 * nothing.
 */
export type StepEvent = Readonly<z.infer<typeof stepSchema>>;

/**
 * One evaluation after `step` steps. `lower`: the metrics of which less is better; absent where the evaluation does not
 * say.
 */
export type EvaluatedEvent = Readonly<z.infer<typeof evaluatedSchema>>;

/** What something simpler than the model reaches in the evaluation `name`, to compare with. `text`: what it answers. */
export type BaselineEvent = Readonly<z.infer<typeof baselineSchema>>;

/** One line of `metrics.jsonl`, a JSON object. */
export type MetricsLine = StepEvent | EvaluatedEvent | BaselineEvent;

/** A whole line of at most `stepsDone` steps; undefined for any other text, and for a line that lacks a part. */
export function parseMetricsLine(text: string, stepsDone: number): MetricsLine | undefined {
  try {
    const { data } = lineSchema.safeParse(JSON.parse(text));
    return data !== undefined && data.step <= stepsDone ? data : undefined;
  } catch {
    return undefined; // half a line, or the end of the file
  }
}

/**
 * The event's numbers, flat, under names with slashes as trackers show them: `loss`, `gradient_norm/<component>`,
 * `learning_rate/<group>`, `tokens_per_second`; of an evaluation `<name>/<metric>`.
 */
export function eventNumbers(event: MetricsLine): Readonly<Record<string, number>> {
  if (event.event !== "step") {
    const place = event.event === "baseline" ? `${event.name}/${event.baseline}` : event.name;
    return under(place, event.metrics);
  }
  const { loss, gradientNorm, learningRates, gradientNorms = {}, updateRatios = {}, tokens, times, metrics } = event;
  return {
    loss,
    gradient_norm: gradientNorm,
    ...under("learning_rate", learningRates),
    ...under("gradient_norm", gradientNorms),
    ...under("update_ratio", updateRatios),
    tokens_per_second: tokensPerSecond(event),
    tokens,
    step_ms: event.durationMs,
    ...(times === undefined
      ? {}
      : under("time_ms", { load: times.loadMs, passes: times.passesMs, update: times.updateMs })),
    ...(event.peakBytes === undefined ? {} : { peak_bytes: event.peakBytes }),
    ...metrics,
  };
}

/** Of a step, padding excluded. */
export function tokensPerSecond({ tokens, durationMs }: Pick<StepEvent, "tokens" | "durationMs">): number {
  return (1000 * tokens) / Math.max(1e-6, durationMs);
}

function under(place: string, numbers: Readonly<Record<string, number>>): Readonly<Record<string, number>> {
  return Object.fromEntries(Object.entries(numbers).map(([name, value]) => [`${place}/${name}`, value]));
}
