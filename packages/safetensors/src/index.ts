export { hasSafetensors, INDEX_FILE, openSafetensors, SINGLE_FILE } from "./checkpoint.js";
export { bfloat16ToFloat32, float16ToFloat32, float32ToBfloat16 } from "./convert.js";
export { ELEMENT_BYTES, type SafetensorsDtype } from "./dtype.js";
export type { TensorEntry } from "./header.js";
export type { ElementRange, SafetensorsReader } from "./reader.js";
export { writeAtomically, writeSafetensors, type TensorDeclaration, type TensorValues } from "./writer.js";
