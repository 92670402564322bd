/**
 * The options of what configs choose by `type`, as users write them, one interface per kind and one member per type.
 * Whoever provides a type adds its options by declaration merging, so that editors and compilers know them in
 * `defineConfig`, in `new Trainer` and in `openSource`:
 *
 * ```ts
 * declare module "@thaw/core" {
 *   interface ProvidedOptimizers {
 *     "my-optimizer": { type: "my-optimizer"; momentum?: number };
 *   }
 * }
 * ```
 */
// oxlint-disable-next-line typescript/no-empty-object-type
export interface ProvidedFormats {}

/** Options of metrics, by type; see `ProvidedFormats`. */
// oxlint-disable-next-line typescript/no-empty-object-type
export interface ProvidedMetrics {}

/** Options of optimizers, by type; see `ProvidedFormats`. */
// oxlint-disable-next-line typescript/no-empty-object-type
export interface ProvidedOptimizers {}

/** Options of schedules, by type; see `ProvidedFormats`. */
// oxlint-disable-next-line typescript/no-empty-object-type
export interface ProvidedSchedules {}

/** Options of trackers, by type; see `ProvidedFormats`. */
// oxlint-disable-next-line typescript/no-empty-object-type
export interface ProvidedTrackers {}
