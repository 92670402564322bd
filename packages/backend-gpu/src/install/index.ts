export { CUDA_LIBRARIES, findCuda } from "./cuda.js";
export type { CudaSearch } from "./cuda.js";
export { installBackend, uninstallBackend } from "./install.js";
export type { InstallOptions, InstallResult, InstallStage, OnProgress } from "./install.js";
export { TENSORFLOW_VERSION, WHEELS } from "./recipe.js";
export type { InstallableBackend, WheelRecipe } from "./recipe.js";
