export { hasSafetensors, INDEX_FILE, openSafetensors, SINGLE_FILE } from "./checkpoint.js";
export { bfloat16ToFloat32, float16ToFloat32, float32ToBfloat16 } from "./convert.js";
export { ELEMENT_BYTES, type SafetensorsDtype } from "./dtype.js";
export { firstNotFinite } from "./finite.js";
export type { TensorEntry } from "./header.js";
export {
  checkBytes,
  checkHeader,
  MANIFEST_FILE,
  MANIFEST_KEY,
  parseManifest,
  proveFile,
  readManifest,
  readProven,
  writeManifest,
  type Manifest,
} from "./manifest.js";
export { proveFolder } from "./prove.js";
export { proofOf, type FileProof } from "./proof.js";
export type { ElementRange, SafetensorsReader } from "./reader.js";
export { syncFolder, writeAtomically, writeSafetensors, type TensorDeclaration, type TensorValues } from "./writer.js";
