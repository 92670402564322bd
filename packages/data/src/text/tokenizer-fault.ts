import { causeText } from "@thaw/contracts";

type Json = Readonly<Record<string, unknown>>;

/** Parts of a `tokenizer.json` beside its model. */
const PARTS = ["normalizer", "pre_tokenizer", "post_processor", "decoder"];

/** What the tokenizer library says; where it stumbles over something that is not there, that it does. */
export function faultText(cause: unknown): string {
  return cause instanceof TypeError
    ? "a part of it lacks what its type needs, or has it in another form"
    : causeText(cause);
}

/** By type of a part, the key that it cannot do without, and what must stand there. */
const NEEDED: Readonly<Record<string, readonly [key: string, is: (value: unknown) => boolean]>> = {
  Replace: ["pattern", isPattern],
  Split: ["pattern", isPattern],
  Prepend: ["prepend", isText],
  Precompiled: ["precompiled_charsmap", isText],
  Metaspace: ["replacement", isText],
  BertProcessing: ["cls", Array.isArray],
  RobertaProcessing: ["cls", Array.isArray],
  TemplateProcessing: ["single", Array.isArray],
};
/** Where the parts of a sequence stand. */
const LISTS = ["normalizers", "pretokenizers", "processors", "decoders"];

function isText(value: unknown): boolean {
  return typeof value === "string";
}

function isPattern(value: unknown): boolean {
  return (
    typeof value === "object" &&
    value !== null &&
    ["Regex", "String"].some((kind) => typeof (value as Json)[kind] === "string")
  );
}

/**
 * What a part lacks that the tokenizer library would go on without, leaving texts as they are or taking them away;
 * tokenizers' own, in Rust, reads no such file. Undefined where there is nothing.
 */
export function lackIn(file: Json): string | undefined {
  for (const name of PARTS) {
    const lack = lackOf(file[name]);
    if (lack !== undefined) return `its ${name} has a ${lack}`;
  }
  return undefined;
}

function lackOf(part: unknown): string | undefined {
  if (typeof part !== "object" || part === null) return undefined;
  const { type } = part as Json;
  const needed = typeof type === "string" && Object.hasOwn(NEEDED, type) ? NEEDED[type] : undefined;
  if (needed !== undefined && !needed[1]((part as Json)[needed[0]])) return `${String(type)} without ${needed[0]}`;
  if (type !== "Sequence") return undefined;
  const list = LISTS.map((key) => (part as Json)[key]).find((value) => value !== undefined);
  if (!Array.isArray(list)) return "Sequence without a list of parts";
  return list.map(lackOf).find((lack) => lack !== undefined);
}
