export type { Value } from "./value.js";
