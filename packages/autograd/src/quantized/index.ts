export { dequantize, firstBadScale } from "./dequantize.js";
export { FROZEN_FORMS, layoutOf, quantizedBytes } from "./layout.js";
export type { FrozenForm, QuantizedLayout, QuantizedValues } from "./layout.js";
export type { QuantizedMatrix } from "./matrix.js";
export { joinQuantized, quantize } from "./quantize.js";
export type { QuantizedParts } from "./quantize.js";
export { pairTable, signedTable } from "./tables.js";
