/**
 * Bytes an element of each dtype that the format defines on whole bytes. Source: safetensors 0.5, `tensor.rs`, `Dtype`.
 */
export const ELEMENT_BYTES = {
  BOOL: 1,
  U8: 1,
  I8: 1,
  F8_E5M2: 1,
  F8_E4M3: 1,
  I16: 2,
  U16: 2,
  F16: 2,
  BF16: 2,
  I32: 4,
  U32: 4,
  F32: 4,
  I64: 8,
  U64: 8,
  F64: 8,
} as const;

/** A dtype as safetensors spells it. */
export type SafetensorsDtype = keyof typeof ELEMENT_BYTES;

/** True if `text` is a dtype that this package can lay out. */
export function isDtype(text: unknown): text is SafetensorsDtype {
  return typeof text === "string" && Object.hasOwn(ELEMENT_BYTES, text);
}
