import { z } from "zod";
import { defineSchedule, type ScheduleFactory, type SchedulePoint } from "./schedule.js";
import { commonScheduleShape, minRatio } from "./options.js";

const constant = defineSchedule({
  type: "constant",
  summary: "Level after the warm-up.",
  schema: z.strictObject({
    type: z.literal("constant").default("constant").describe("Level after the warm-up. The default."),
    ...commonScheduleShape,
  }),
  factor: () => 1,
});

const linear = defineSchedule({
  type: "linear",
  summary: "Straight down to zero.",
  schema: z.strictObject({
    type: z.literal("linear").describe("Straight down to zero."),
    ...commonScheduleShape,
  }),
  factor: (_, at) => Math.max(0, 1 - progress(at)),
});

/** `_get_cosine_schedule_with_warmup_lr_lambda`, with and without `min_lr_rate`. */
const cosine = defineSchedule({
  type: "cosine",
  summary: "Half a cosine, or more of them, down to zero or a share of the rate.",
  schema: z.strictObject({
    type: z.literal("cosine").describe("Half a cosine down to zero, or to a share of the rate."),
    cycles: z.number().positive().default(0.5).describe("Waves of the cosine; half a one goes down and stays there."),
    minRatio,
    ...commonScheduleShape,
  }),
  factor: ({ cycles, minRatio: least }, at) => Math.max(0, above(least, wave(2 * cycles * progress(at)))),
});

/** `_get_cosine_with_hard_restarts_schedule_with_warmup_lr_lambda`. */
const cosineWithRestarts = defineSchedule({
  type: "cosine_with_restarts",
  summary: "Half a cosine down to zero, again and again from the full rate.",
  schema: z.strictObject({
    type: z.literal("cosine_with_restarts").describe("Half a cosine down to zero, again and again from the full rate."),
    cycles: z.number().int().positive().default(1).describe("How often it goes down."),
    ...commonScheduleShape,
  }),
  factor: ({ cycles }, at) => (progress(at) >= 1 ? 0 : wave((cycles * progress(at)) % 1)),
});

/** `_get_polynomial_decay_schedule_with_warmup_lr_lambda`; `lr_end` is a share here: groups have own rates. */
const polynomial = defineSchedule({
  type: "polynomial",
  summary: "A power of what is left of the run.",
  schema: z.strictObject({
    type: z.literal("polynomial").describe("A power of what is left of the run."),
    power: z.number().positive().default(1).describe("The power; 1 is a straight line."),
    minRatio,
    ...commonScheduleShape,
  }),
  factor: ({ power, minRatio: least }, at) => above(least, Math.max(0, 1 - progress(at)) ** power),
});

/** Where neither a warm-up nor a timescale is given, in `get_inverse_sqrt_schedule`. */
const TIMESCALE = 10_000;

/** `_get_inverse_sqrt_schedule_lr_lambda`. */
const inverseSqrt = defineSchedule({
  type: "inverse_sqrt",
  summary: "By the root of the step, without an end.",
  schema: z.strictObject({
    type: z.literal("inverse_sqrt").describe("Falls by the root of the step, whatever the length of the run."),
    timescale: z
      .number()
      .int()
      .positive()
      .optional()
      .describe("Steps over which it falls to 0.7. Default: those of the warm-up, or 10000 without one."),
    ...commonScheduleShape,
  }),
  factor: ({ timescale }, { step, warmupSteps }) => {
    const scale = timescale ?? (warmupSteps === 0 ? TIMESCALE : warmupSteps);
    return 1 / Math.sqrt((step - warmupSteps + scale) / scale);
  },
});

/** `_get_wsd_scheduler_lambda`, with a linear warm-up. */
const warmupStableDecay = defineSchedule({
  type: "warmup_stable_decay",
  summary: "Level until the last steps, then down.",
  schema: z.strictObject({
    type: z.literal("warmup_stable_decay").describe("Level until the last steps, then down (Hu et al.)."),
    decaySteps: z.number().int().nonnegative().optional().describe("The last steps; wins over decay_ratio."),
    decayRatio: z.number().min(0).max(1).default(0.1).describe("The same as a share of all steps."),
    decay: z
      .enum(["cosine", "linear", "sqrt"])
      .default("cosine")
      .describe("The way down: half a cosine, straight, or one less the root."),
    minRatio,
    ...commonScheduleShape,
  }),
  start: ({ minRatio: least }) => least,
  factor: ({ decaySteps, decayRatio, decay, minRatio: least }, { step, totalSteps, warmupSteps }) => {
    const wanted = decaySteps ?? Math.ceil(Number((decayRatio * totalSteps).toPrecision(12)));
    const last = Math.min(wanted, Math.max(0, totalSteps - warmupSteps));
    if (step < totalSteps - last) return 1;
    if (step >= totalSteps) return least;
    const done = (step - totalSteps + last) / Math.max(1, last);
    return above(least, decay === "cosine" ? wave(done) : 1 - (decay === "linear" ? done : Math.sqrt(done)));
  },
});

/** Thaw's own schedules. */
export const SCHEDULES: readonly ScheduleFactory[] = [
  constant,
  linear,
  cosine,
  cosineWithRestarts,
  polynomial,
  inverseSqrt,
  warmupStableDecay,
];

/** What configs may say of Thaw's own. */
const ownSchema = z.discriminatedUnion("type", [
  constant.schema,
  linear.schema,
  cosine.schema,
  cosineWithRestarts.schema,
  polynomial.schema,
  inverseSqrt.schema,
  warmupStableDecay.schema,
]);

/** What a `schedule` may be where these can be named; typed as Thaw's own. */
export function scheduleSchemaOf(schedules: readonly ScheduleFactory[]): typeof ownSchema {
  const [first, ...others] = schedules.map(({ schema }) => schema);
  const union = z.discriminatedUnion("type", [first!, ...others] as never) as typeof ownSchema;
  return union.meta({ title: "Schedule" });
}

/** Share of the steps after the warm-up that is done. */
function progress({ step, totalSteps, warmupSteps }: SchedulePoint): number {
  return (step - warmupSteps) / Math.max(1, totalSteps - warmupSteps);
}

/** From 1 at 0 to 0 at 1, as a cosine. */
function wave(done: number): number {
  return 0.5 * (1 + Math.cos(Math.PI * done));
}

/** A factor between a least one and 1. */
function above(least: number, factor: number): number {
  return factor * (1 - least) + least;
}
