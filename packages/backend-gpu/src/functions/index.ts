export { CompiledFunctions } from "./functions.js";
export type { AddFunction, FunctionBackend, FunctionOptions } from "./functions.js";
