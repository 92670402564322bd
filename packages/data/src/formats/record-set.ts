import type { Sample, SampleSet } from "@thaw/contracts";
import { type JsonRecord, openRecords, type Records } from "../records/records.js";

/** What a set says of itself beside its samples. */
export interface SetTraits {
  readonly exif?: SampleSet["exif"] | undefined;
  readonly concepts?: SampleSet["concepts"] | undefined;
}

/** A set of samples that each are made of one record. */
export function setOfRecords(
  origin: string,
  records: Records,
  { exif, concepts }: SetTraits,
  make: (record: JsonRecord) => Sample,
): SampleSet {
  return {
    origin,
    count: records.count,
    ...(exif === undefined ? {} : { exif }),
    ...(concepts === undefined ? {} : { concepts }),
    fingerprint: (first, end) => records.fingerprint(first, end),
    close: () => records.close(),
    read: async (index) => make(await records.read(index)),
  };
}

/** A set of samples that each are made of one object of a JSON file. @throws THAW_DATA_* */
export async function recordSet(
  traits: SetTraits,
  path: string,
  make: (record: JsonRecord) => Sample,
): Promise<SampleSet> {
  return setOfRecords(path, await openRecords(path), traits, make);
}
