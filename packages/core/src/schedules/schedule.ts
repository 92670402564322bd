import type { z } from "zod";

/** Where a run stands, in steps of a group: from 0, the group's first. */
export interface SchedulePoint {
  readonly step: number;
  readonly totalSteps: number;
  readonly warmupSteps: number;
}

/** A schedule that configs can name: `training.schedule: { type: ... }`. */
export interface ScheduleFactory<Schema extends z.ZodObject = z.ZodObject> {
  readonly type: string;
  /** One sentence, for help. */
  readonly summary: string;
  /** Strict; `type` with the literal, what `commonScheduleShape` holds, and options of its own. */
  readonly schema: Schema;
  /** Factor of the learning rate after the warm-up. */
  factor(options: z.output<Schema>, at: SchedulePoint): number;
  /** What the warm-up rises from, in a straight line to 1; absent: 0. */
  start?(options: z.output<Schema>): number;
}

/** Types a factory; returns what it is given. */
export function defineSchedule<Schema extends z.ZodObject>(factory: ScheduleFactory<Schema>): ScheduleFactory<Schema> {
  return factory;
}

declare module "@thaw/contracts" {
  interface Provides {
    readonly schedules?: readonly ScheduleFactory[];
  }
}
