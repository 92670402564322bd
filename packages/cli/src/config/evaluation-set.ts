import type { DataSetOptions } from "@thaw/data";
import type { MetricOptions } from "@thaw/plugin-captions";

/** What is measured on one evaluation set. */
export interface SetMetrics {
  readonly metrics?: MetricOptions[] | undefined;
}

/** An evaluation set as users write it. */
export type EvaluationSetOptions = string | (DataSetOptions & SetMetrics);
