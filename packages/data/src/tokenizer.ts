/** Text to ids and back, exactly as the checkpoint's `tokenizer.json` says. */
export interface Tokenizer {
  /** Ids; the tokenizer's own special tokens (a leading `<s>`) unless the text starts with it already. */
  encode(text: string): number[];
  /** Text without special tokens, trimmed. */
  decode(ids: readonly number[]): string;
  idOf(token: string): number | undefined;
  tokenOf(id: number): string | undefined;
  readonly vocabularySize: number;
  readonly special: { readonly bos?: string; readonly eos?: string; readonly pad?: string; readonly unk?: string };
}
