import { parseJson } from "@thaw/contracts";

/** Names of classes by column, as the `datasets` library writes them beside a table. */
export type Labels = ReadonlyMap<string, readonly string[]>;

/** The names of classes in what `datasets` says of a table's features; none where it says nothing. */
export function labelsOf(features: string | undefined): Labels {
  if (features === undefined) return new Map();
  let value: unknown;
  try {
    value = parseJson(features);
  } catch {
    return new Map();
  }
  const known = (value as { readonly info?: { readonly features?: Readonly<Record<string, unknown>> } } | null)?.info;
  return new Map(
    Object.entries(known?.features ?? {}).flatMap(([column, feature]) => {
      const { _type: type, names } = (feature ?? {}) as { readonly _type?: unknown; readonly names?: unknown };
      return type === "ClassLabel" && Array.isArray(names) ? [[column, names.map(String)] as const] : [];
    }),
  );
}

/** A row with the names of its classes in the place of their numbers. */
export function labelled(row: Readonly<Record<string, unknown>>, labels: Labels): Readonly<Record<string, unknown>> {
  if (labels.size === 0) return row;
  const named = [...labels].flatMap(([column, names]) => {
    const number = row[column];
    return typeof number === "number" && names[number] !== undefined ? [[column, names[number]] as const] : [];
  });
  return { ...row, ...Object.fromEntries(named) };
}
