import { nearestNames, resolveOwners, type Finding, type Model, type ParameterInfo, type Setting } from "@thaw/core";
import { embeddingMissing, idUnknown, tokenizerMissing, tokenUnknown } from "./findings.js";
import { tokenMatrices } from "./matrices.js";
import type { ResolvedTokenRows } from "./options.js";
import { rowsParameter, tokenRows, type TokenRows } from "./rows.js";

/** What rows are planned from. */
export interface RowsPlanInput {
  readonly model: Model;
  readonly parameters: readonly ParameterInfo[];
  readonly options: ResolvedTokenRows;
  /** Ids by token; undefined where there is no tokenizer to ask. */
  readonly vocabulary: ReadonlyMap<string, number> | undefined;
  /** Of the section `token_rows`. */
  readonly settings: readonly Setting[];
  /** Trained values of an earlier run that this one begins with. */
  readonly startFrom: string | undefined;
}

/** The rows of a run. */
export interface RowsPlan {
  /** By the name of their matrix. */
  readonly rows: ReadonlyMap<string, TokenRows>;
  /** To add to the model's. */
  readonly parameters: readonly ParameterInfo[];
  /** A matrix whose state an error leaves open. */
  readonly undecided?: string;
}

/** Nothing to train. */
export const NO_ROWS: RowsPlan = { rows: new Map(), parameters: [] };

/** Finds the rows that the section names; where one does not exist there are none, and findings say why. */
export function planRows(input: RowsPlanInput, report: (finding: Finding) => void): RowsPlan {
  const { model, parameters, options, settings, startFrom } = input;
  if (options.tokens.length === 0 || model.isPlaceholder === true) return NO_ROWS;
  const matrices = tokenMatrices(model, parameters);
  const given = tokenSettings(settings);
  if (matrices === undefined) {
    report(embeddingMissing(model.source, given));
    return NO_ROWS;
  }
  const ids = tokenIds(input, matrices.embedding.shape[0]!, report);
  if (ids === undefined) return { ...NO_ROWS, undecided: matrices.embedding.name };
  const { owners } = resolveOwners(parameters, model.components);
  const trained =
    options.outputLayer && matrices.output !== undefined ? [matrices.embedding, matrices.output] : [matrices.embedding];
  // A matrix without an owner is a finding of its own
  const found = trained.flatMap((matrix) =>
    owners.has(matrix.name) ? [{ matrix, rows: tokenRows(matrix, ids) }] : [],
  );
  return {
    rows: new Map(found.map(({ rows }) => [rows.matrix, rows])),
    parameters: found.map(({ matrix, rows }) =>
      rowsParameter(rows, matrix, owners.get(matrix.name)!, { model, initialize: options.initialize, startFrom }),
    ),
  };
}

/** The settings that name the tokens. */
export function tokenSettings(settings: readonly Setting[]): readonly Setting[] {
  return settings.filter(({ path }) => path.split(".").includes("tokens"));
}

/** Ids of all tokens; undefined if one has none. */
function tokenIds(
  { model, options, settings, vocabulary }: RowsPlanInput,
  count: number,
  report: (finding: Finding) => void,
): readonly number[] | undefined {
  const { tokens } = options;
  if (vocabulary === undefined && tokens.some((token) => typeof token === "string")) {
    report(tokenizerMissing(model.source, tokenSettings(settings)));
    return undefined;
  }
  const ids: number[] = [];
  for (const [index, token] of tokens.entries()) {
    const id = typeof token === "number" ? token : vocabulary?.get(token);
    const known = vocabulary?.keys() ?? [];
    if (id === undefined)
      report(tokenUnknown(String(token), nearestNames(String(token), known), settingsOf(settings, index)));
    else if (id >= count) report(idUnknown(id, count, settingsOf(settings, index)));
    else ids.push(id);
  }
  return ids.length === tokens.length ? ids : undefined;
}

/** The setting of one element of the list, or that of the whole list. */
function settingsOf(settings: readonly Setting[], index: number): readonly Setting[] {
  const given = tokenSettings(settings);
  const own = given.filter(({ path }) => path.endsWith(`.tokens.${index}`));
  return own.length === 0 ? given : own;
}
