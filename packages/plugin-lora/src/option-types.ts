// Generated from the schemas by `node scripts/docs.mjs`; edit the descriptions there.

/** Where adapters come from and go to. */
export interface LoraSectionOptions {
  /** Folder of an adapter in PEFT's layout to start from. */
  adapter?: string | undefined;
  /** Write the adapter in PEFT's layout at the end of a run. Default: true. */
  save?: boolean | undefined;
}
