import type { Processor } from "@thaw/data";
import type { ConfigReader } from "../reading/config-reader.js";
import { COMPUTED_NAMES, type Architecture, type CheckpointHeader, type Family, type OwnerTable } from "./family.js";

/** What makes a family. */
export interface FamilyDefinition<Config> extends Pick<OwnerTable, "modelType" | "moduleNames"> {
  /** Components and the prefixes of what they own; the longest prefix of whole dot-segments wins. */
  readonly components: Readonly<Record<string, readonly string[]>>;
  /** Beside {@link COMPUTED_NAMES}; see `OwnerTable.ignoredNames`. */
  readonly ignoredNames?: readonly string[];
  /** Reads every option that decides the model. @throws THAW_CHECKPOINT_CONFIG for what is not supported */
  readonly read: (config: ConfigReader) => Config;
  /** Makes the model of such sizes, by `compose` as a rule. The header tells how a file spells its names. */
  readonly build: (config: Config, header: CheckpointHeader) => Architecture;
  /** See `Family.processor`. */
  readonly processor?: (folder: string) => Promise<Processor>;
}

/** A family from what it owns, what it reads and what it is composed of. */
export function defineFamily<Config>(definition: FamilyDefinition<Config>): Family {
  const { modelType, moduleNames, components, ignoredNames = [], read, build, processor } = definition;
  return {
    modelType,
    components: Object.entries(components).map(([name, prefixes]) => ({ name, prefixes })),
    ignoredNames: [...COMPUTED_NAMES, ...ignoredNames],
    ...(moduleNames && { moduleNames }),
    describe: (header) => build(read(header.config), header),
    ...(processor && { processor }),
  };
}
