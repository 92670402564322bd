import protobuf from "protobufjs/light.js";

/** A value under a key, as JSON. */
export interface WandbItem {
  readonly key: string;
  readonly valueJson: string;
}

/** One record of a datastore file, as far as Thaw writes them. */
export interface WandbRecord {
  readonly num: number;
  readonly header?: { readonly versionInfo: { readonly producer: string; readonly minConsumer: string } };
  readonly run?: {
    readonly runId: string;
    readonly entity: string;
    readonly project: string;
    readonly displayName: string;
    readonly host: string;
    /** Seconds since 1970. */
    readonly startTime: { readonly seconds: number };
    readonly config: { readonly update: readonly WandbItem[] };
  };
  /** Without `num` it is step 0: zeros are not stored. */
  readonly history?: { readonly item: readonly WandbItem[]; readonly step: { readonly num?: number } };
  readonly files?: { readonly files: readonly { readonly path: string }[] };
  readonly outputRaw?: { readonly timestamp: { readonly seconds: number }; readonly line: string };
  /** `runtime` in seconds. */
  readonly exit?: { readonly exitCode: number; readonly runtime: number };
}

const field = (type: string, id: number, rule?: "repeated"): protobuf.IField =>
  rule === undefined ? { type, id } : ({ type, id, rule } as protobuf.IField);

/** The fields that Thaw writes of `wandb/proto/wandb_internal.proto` (wandb 0.31), by their numbers. */
const types = protobuf.Root.fromJSON({
  nested: {
    Record: {
      fields: {
        num: field("int64", 1),
        history: field("History", 2),
        files: field("Files", 6),
        outputRaw: field("OutputRaw", 13),
        run: field("Run", 17),
        exit: field("Exit", 18),
        header: field("Header", 21),
      },
    },
    Header: { fields: { versionInfo: field("Version", 1) } },
    Version: { fields: { producer: field("string", 1), minConsumer: field("string", 2) } },
    Run: {
      fields: {
        runId: field("string", 1),
        entity: field("string", 2),
        project: field("string", 3),
        config: field("Config", 4),
        displayName: field("string", 8),
        host: field("string", 13),
        startTime: field("Timestamp", 17),
      },
    },
    Timestamp: { fields: { seconds: field("int64", 1) } },
    Config: { fields: { update: field("Item", 1, "repeated") } },
    Item: { fields: { key: field("string", 1), valueJson: field("string", 16) } },
    History: { fields: { item: field("Item", 1, "repeated"), step: field("Step", 2) } },
    Step: { fields: { num: field("int64", 1) } },
    Files: { fields: { files: field("File", 1, "repeated") } },
    File: { fields: { path: field("string", 1) } },
    OutputRaw: { fields: { timestamp: field("Timestamp", 2), line: field("string", 3) } },
    Exit: { fields: { exitCode: field("int32", 1), runtime: field("int32", 2) } },
  },
}).lookupType("Record");

/** The bytes of a record. */
export function encodeRecord(record: WandbRecord): Uint8Array {
  return types.encode(types.create(record as object)).finish();
}

/** A record of its bytes. */
export function decodeRecord(bytes: Uint8Array): WandbRecord {
  return types.toObject(types.decode(bytes), { longs: Number, defaults: false }) as unknown as WandbRecord;
}
