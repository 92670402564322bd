import type { ScheduleFactory } from "./schedule.js";
import type { ResolvedTrainingOptions } from "../api/options.js";

type Schedule = ResolvedTrainingOptions["schedule"];

/**
 * Warm-up steps of a schedule: `warmupSteps`, else the ratio of all steps rounded up
 * (`TrainingArguments.get_warmup_steps`).
 */
export function warmupSteps(schedule: Schedule, totalSteps: number): number {
  return schedule.warmupSteps ?? Math.ceil(Number((schedule.warmupRatio * totalSteps).toPrecision(12)));
}

/**
 * Factor of the learning rate at a step (from 0). With a warm-up the first step's factor is 0, as in transformers
 * (5.24, `optimization.py`), whose lambdas all schedules of Thaw's own follow.
 */
export function scheduleFactor(
  schedule: Schedule,
  schedules: readonly ScheduleFactory[],
  step: number,
  totalSteps: number,
): number {
  // The schema let no other type through.
  const factory = schedules.find(({ type }) => type === schedule.type)!;
  const warmup = warmupSteps(schedule, totalSteps);
  if (step >= warmup) return factory.factor(schedule, { step, totalSteps, warmupSteps: warmup });
  const start = factory.start?.(schedule) ?? 0;
  return (step / Math.max(1, warmup)) * (1 - start) + start;
}
