import type { Model, ParameterInfo } from "@thaw/core";

/** The matrices that have a row a token. */
export interface TokenMatrices {
  /** `[vocabulary, hidden]`; the output layer too, where the two are tied. */
  readonly embedding: ParameterInfo;
  /** `[vocabulary, hidden]` of an output layer of its own. */
  readonly output?: ParameterInfo;
}

/** Finds them by shape and name; undefined if there is no embedding, or more than one matrix could be it. */
export function tokenMatrices(
  model: Pick<Model, "text">,
  parameters: readonly ParameterInfo[],
): TokenMatrices | undefined {
  const { vocabularySize, hiddenSize } = model.text;
  const matrices = parameters.filter(
    ({ shape }) => shape.length === 2 && shape[0] === vocabularySize && shape[1] === hiddenSize,
  );
  const isOutput = ({ name }: ParameterInfo): boolean => /(^|\.)(lm_head|output)\.weight$/.test(name);
  const [embedding, ...others] = matrices.filter((matrix) => !isOutput(matrix));
  const output = matrices.find(isOutput);
  if (embedding === undefined || others.length > 0) return undefined;
  return { embedding, ...(output === undefined ? {} : { output }) };
}
