export { packBfloat16, roundToBfloat16, unpackBfloat16 } from "./pack.js";
export { isPackable } from "./products.js";
export type { Bfloat16Products, PackedMatrix } from "./products.js";
export { wordsOfBfloat16 } from "./operations.js";
export { simulatedBfloat16 } from "./simulated.js";
export { tensorflowBfloat16 } from "./tensorflow.js";
