export { CompiledFunctions } from "./functions.js";
export type { OperationAttribute } from "./graph.js";
export type { OperationBinding } from "./trace.js";
export type { AddFunction, FunctionBackend, FunctionOptions } from "./functions.js";
export { describeCards, openCompiledCache } from "./compiled-cache.js";
export type { CompiledCache } from "./compiled-cache.js";
