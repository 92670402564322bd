// Generated from the schemas by `node scripts/docs.mjs`; edit the descriptions there.

/** How conflicts between settings are reported. */
export interface ConflictCheckerOptions {
  /** Severity by rule id. */
  rules?: Record<string, "off" | "note" | "warning" | "error"> | undefined;
  /** What tensors may take, for the rule missing-checkpointing: bytes, or a size such as 2GB. Default: 4294967296. */
  memoryLimit?: number | string | undefined;
}
