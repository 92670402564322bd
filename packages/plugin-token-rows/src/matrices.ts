import type { Model, ParameterInfo } from "@thaw/core";

/** The matrices that have one row per token. */
export interface TokenMatrices {
  /** `[vocabulary, hidden]`; the output layer too, where the two are tied. */
  readonly embedding: ParameterInfo;
  /** `[vocabulary, hidden]` of an output layer of its own. */
  readonly output?: ParameterInfo;
}

/** Those that the model names; undefined if it names none. */
export function tokenMatrices(
  { text: { embeddings } }: Pick<Model, "text">,
  parameters: readonly ParameterInfo[],
): TokenMatrices | undefined {
  if (embeddings === undefined) return undefined;
  const find = (wanted: string): ParameterInfo | undefined => parameters.find(({ name }) => name === wanted);
  const [embedding, output] = [find(embeddings.input), find(embeddings.output)];
  if (embedding === undefined) return undefined;
  return { embedding, ...(output === undefined || output === embedding ? {} : { output }) };
}
