import { COMPUTED_NAMES, type OwnerTable } from "../contract/family.js";

/** An owner table with what others may judge differently. */
export interface DocumentedOwnerTable extends OwnerTable {
  /** Where the judgement is open, or was not checked against code: why it fell this way. */
  readonly doubt?: string;
}

/** A table of one model type: component to its prefixes, parted by blanks. */
export function table(
  modelType: string,
  owners: Readonly<Record<string, string>>,
  more: {
    readonly doubt?: string;
    readonly ignored?: readonly string[];
    readonly modules?: OwnerTable["moduleNames"];
  } = {},
): DocumentedOwnerTable {
  return {
    modelType,
    components: Object.entries(owners).map(([name, prefixes]) => ({ name, prefixes: prefixes.split(" ") })),
    ignoredNames: [...COMPUTED_NAMES, ...(more.ignored ?? [])],
    ...(more.modules && { moduleNames: more.modules }),
    ...(more.doubt === undefined ? {} : { doubt: more.doubt }),
  };
}
