export { benchBackend } from "./bench.js";
export type { BackendSpeed, ProductSpeed } from "./bench.js";
export { chooseBackend, listCandidates, realLoader } from "./choose.js";
export type { BackendLoader, Candidate, Choice } from "./choose.js";
export { diagnose } from "./diagnose.js";
export type { BackendDiagnosis, Diagnosis } from "./diagnose.js";
export { BACKEND_ERROR_CODES, backendAlreadyLoaded, backendLoadFailed, backendMissing } from "./errors.js";
export { defaultCacheFolder, installedFolder, locate } from "./locate.js";
export type { InstalledManifest, Location, SearchFolders } from "./locate.js";
export { BACKEND_NAMES, backendOptionsSchema, resolveBackendOptions } from "./options.js";
export type { BackendName, BackendOptions, ParsedBackendOptions, ResolvedBackendOptions } from "./options.js";
export { probeBackend } from "./probe.js";
export type { Probe } from "./probe.js";
export { backendGpu } from "./plugin.js";
export { backendEntry, BACKENDS } from "./table.js";
export type { BackendCapabilities, BackendEntry } from "./table.js";
export { findCuda, installBackend, TENSORFLOW_VERSION, uninstallBackend, WHEELS } from "./install/index.js";
export type {
  CudaSearch,
  InstallableBackend,
  InstallOptions,
  InstallResult,
  InstallStage,
  OnProgress,
  WheelRecipe,
} from "./install/index.js";
