import type { Model, LoadedBatch, Scope } from "@thaw/contracts";
import type { Architecture, ParameterSpec } from "../contract/family.js";
import type { Connector, ConnectorPlace, Place, Tower, TowerPlace } from "../contract/parts.js";
import type { Decoder } from "../decoders/decoder.js";
import type { Attending } from "../passes/attending.js";
import { DecodedBatch, type DecodedBatchInput } from "../passes/decoded-batch.js";
import { generate } from "../passes/generate.js";
import { mediaOf } from "./media.js";
import { wire } from "./wiring.js";

/** Component of every decoder. */
const LANGUAGE_MODEL = "language_model";

/** How items of one modality reach the decoder. */
export interface Medium<Towers extends string = string, Connectors extends string = string> {
  /** Id of the tokens in whose places features stand. */
  readonly placeholder: number;
  /** Ids of other tokens inside an item's placeholder in whose places features stand too. Default: none. */
  readonly otherIds?: readonly number[];
  /** The tower that reads the items, then the connectors behind it. Modalities may share them. */
  readonly through: readonly [Towers, ...Connectors[]];
}

/** The parts of a model; each makes itself for the place that it gets. */
export interface Composition<Towers extends string, Connectors extends string> {
  /** By component. */
  readonly towers: Readonly<Record<Towers, (place: TowerPlace) => Tower>>;
  /** By component, each behind those that it reads. */
  readonly connectors: Readonly<Record<Connectors, (place: ConnectorPlace) => Connector>>;
  /** Its component is `language_model`. */
  readonly decoder: (place: Place) => Decoder;
  /** By modality of items. */
  readonly media: Readonly<Record<string, Medium<Towers, Connectors>>>;
  /** How rows attend. Default: causally, counted by tokens. */
  readonly attending?: Attending;
  /**
   * Named outputs of the last part on an item's way (`Segment.outputs`), and the layer of the decoder behind which each
   * is added to its item's rows. The outputs that are not named here, side by side, are what the tokens become.
   */
  readonly addedBehind?: Readonly<Record<string, number>>;
  /** See `Architecture.ignores`. */
  readonly ignores?: Architecture["ignores"];
  readonly text: Pick<Model["text"], "maxPositions" | "eosTokenIds" | "padTokenId">;
  /** Parameters that a file holds and nothing computes with; a folder that is saved holds them too. */
  readonly unused?: readonly ParameterSpec[];
}

/**
 * A model made of towers, connectors and a decoder: its segments, parameters, forward pass and generation. Segments are
 * named after components. A part runs once in a pass, on the items of all modalities that go through it, and not at all
 * where there is none.
 */
export function compose<Towers extends string, Connectors extends string>(
  composition: Composition<Towers, Connectors>,
): Architecture {
  const { towers, connectors, attending, addedBehind = {}, text, unused = [] } = composition;
  const media: Readonly<Record<string, Medium>> = composition.media;
  const wired = wire(towers, connectors, media);
  const decoder = composition.decoder({ component: LANGUAGE_MODEL, after: wired.ends });
  const parts = [...wired.parts, decoder];
  const embedding = decoder.segments.find(({ name }) => name === decoder.names.embed)!.parameters[0]!;
  const vocabularySize = decoder.parameters.find(({ name }) => name === embedding)!.shape[0]!;
  const prepare = (batch: LoadedBatch, scope: Scope): DecodedBatchInput => ({
    decoder,
    batch,
    scope,
    attending,
    ...mediaOf(wired.run(batch, scope), batch, addedBehind, decoder.placeholderId),
  });
  return {
    parameters: [...parts.flatMap(({ parameters }) => parameters), ...unused],
    segments: parts.flatMap(({ segments }) => segments),
    deadParameters: [...wired.parts.flatMap(({ deadParameters = [] }) => deadParameters), ...trainableNames(unused)],
    ...(composition.ignores && { ignores: composition.ignores }),
    text: {
      vocabularySize,
      hiddenSize: decoder.hiddenSize,
      mediaTokens: Object.entries(media).map(([modality, { placeholder, otherIds, through }]) => ({
        modality,
        tokenId: placeholder,
        ...(otherIds && { otherIds }),
        rows: (item) => wired.rowsOf(through, item),
      })),
      embeddings: { input: embedding, output: decoder.outputWeight },
      ...text,
    },
    forward: (batch, scope) => new DecodedBatch(prepare(batch, scope)),
    generate: (batch, scope, options) => generate({ ...prepare(batch, scope), eosTokenIds: text.eosTokenIds }, options),
  };
}

function trainableNames(specs: readonly ParameterSpec[]): readonly string[] {
  return specs.filter(({ isBuffer }) => isBuffer !== true).map(({ name }) => name);
}
