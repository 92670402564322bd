import { toCamelCase, type Setting } from "@thaw/core";

/** When a component starts or stops to train. */
export interface Position {
  readonly unit: "step" | "epoch";
  readonly at: number;
}

/** LoRA settings with canonical names; what is absent is the adapter plugin's default. */
export interface LoraIntent {
  readonly rank?: number;
  readonly alpha?: number;
  readonly dropout?: number;
  /** `all-linear`, or ends of module names. */
  readonly targetModules?: string | readonly string[];
  readonly rslora?: boolean;
}

/** What a `components` entry asks for, in canonical words. */
export interface Intent {
  readonly kind: "frozen" | "train" | "partial" | "adapter";
  readonly lastBlocks?: number;
  readonly firstBlocks?: number;
  readonly match?: readonly string[];
  readonly lora?: LoraIntent;
  readonly unfreezeAt?: Position;
  readonly freezeAt?: Position;
  readonly warmupSteps?: number;
}

/** One `components` entry with its provenance. */
export interface Entry {
  readonly component: string;
  readonly intent: Intent;
  /** True where a LoRA adapter and a selection of full training stand in one entry. */
  readonly mixesAdapter: boolean;
  /** The entry as one setting, spelt as the user did; file and line of its first leaf. */
  readonly setting: Setting;
  /** Its leaves, as given. */
  readonly leaves: readonly Setting[];
}

/** Reads an entry's value: a word, or an object in either case of keys. */
export function readIntent(value: unknown): { readonly intent: Intent; readonly mixesAdapter: boolean } {
  if (value === "frozen" || value === "train") return { intent: { kind: value }, mixesAdapter: false };
  const fields = canonical(value) as Record<string, unknown>;
  const match =
    typeof fields["match"] === "string" ? [fields["match"]] : (fields["match"] as readonly string[] | undefined);
  const selects = fields["lastBlocks"] !== undefined || fields["firstBlocks"] !== undefined || match !== undefined;
  const lora = fields["lora"] as LoraIntent | undefined;
  const intent: Intent = {
    kind: lora !== undefined ? "adapter" : selects ? "partial" : "train",
    lastBlocks: fields["lastBlocks"] as number | undefined,
    firstBlocks: fields["firstBlocks"] as number | undefined,
    match,
    lora,
    unfreezeAt: position(fields, "unfreeze"),
    freezeAt: position(fields, "freeze"),
    warmupSteps: fields["warmupSteps"] as number | undefined,
  };
  return { intent, mixesAdapter: lora !== undefined && selects };
}

/** True if the component's base parameters are trained at some time. */
export function trainsBase(intent: Intent): boolean {
  return intent.kind === "train" || intent.kind === "partial";
}

function position(fields: Readonly<Record<string, unknown>>, verb: string): Position | undefined {
  const step = fields[`${verb}AtStep`];
  if (typeof step === "number") return { unit: "step", at: step };
  const epoch = fields[`${verb}AtEpoch`];
  return typeof epoch === "number" ? { unit: "epoch", at: epoch } : undefined;
}

function canonical(value: unknown): unknown {
  if (value === null || typeof value !== "object" || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [toCamelCase(key), canonical(inner)]));
}
