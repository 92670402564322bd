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
 * (`optimization.py`: `_get_constant_schedule_with_warmup_lr_lambda`, `_get_linear_...`, `_get_cosine_..._lr_lambda`,
 * half a cycle).
 */
export function scheduleFactor(schedule: Schedule, step: number, totalSteps: number): number {
  const warmup = warmupSteps(schedule, totalSteps);
  if (step < warmup) return step / Math.max(1, warmup);
  if (schedule.type === "constant") return 1;
  const left = Math.max(1, totalSteps - warmup);
  if (schedule.type === "linear") return Math.max(0, (totalSteps - step) / left);
  return Math.max(0, 0.5 * (1 + Math.cos(Math.PI * ((step - warmup) / left))));
}
