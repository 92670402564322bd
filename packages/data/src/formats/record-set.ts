import type { Sample, SampleSet } from "@thaw/contracts";
import { type JsonRecord, openRecords, type Records } from "../records/records.js";

/** What a set says of itself beside its samples. */
export type SetTraits = Pick<SampleSet, "exif" | "concepts">;

/** A set of samples that each are made of one record. */
export function setOfRecords(
  origin: string,
  records: Records,
  traits: SetTraits,
  make: (record: JsonRecord) => Sample,
): SampleSet {
  const { count, read, fingerprint, close } = records;
  return { origin, count, ...traits, fingerprint, close, read: async (index) => make(await read(index)) };
}

/** A set of samples that each are made of one object of a JSON file. @throws THAW_DATA_* */
export async function recordSet(
  { exif, concepts }: { readonly exif?: boolean; readonly concepts?: SampleSet["concepts"] },
  path: string,
  make: (record: JsonRecord) => Sample,
): Promise<SampleSet> {
  const traits = { ...(exif === undefined ? {} : { exif }), ...(concepts === undefined ? {} : { concepts }) };
  return setOfRecords(path, await openRecords(path), traits, make);
}
