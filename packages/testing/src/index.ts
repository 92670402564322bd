export { type LifecycleRecorder, recordLifecycle, type HookName, type RecordedHook } from "./lifecycle-recorder.js";
export { withoutLeak } from "./leak-guard.js";
export { withTempFolder } from "./temp-folder.js";
export { tinyModel, type TinyModelOptions } from "./tiny-model.js";
export { TINY } from "./tiny-parameters.js";
export { tinySource, type TinySource, type TinySourceOptions } from "./tiny-source.js";
export { conformance, type ConformanceCheck, type ConformanceOptions } from "./conformance.js";
export { type PluginWatch, watchPlugin, type WatchedTap } from "./tap-watch.js";
export { runDifference, runTiny, type TinyRun, tinyTrainerOptions } from "./training-run.js";
