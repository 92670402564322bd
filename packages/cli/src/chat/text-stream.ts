import type { Tokenizer } from "@thaw/data";

/** Text that is written while its tokens come. */
export interface TextStream {
  /** Writes what is certain of the text once this token is there. */
  add(id: number): void;
  /** Writes what is left of the text of all tokens. */
  end(text: string): void;
  /** True once something is written. */
  readonly hasBegun: boolean;
}

/** What stands at the end of a text whose last character wants for bytes. */
const UNFINISHED = /\uFFFD+$/u;

/**
 * Decodes all tokens anew with each one, as only the whole says where blanks are and which bytes make a character;
 * characters of which bytes are missing wait for them.
 */
export function textStream(tokenizer: Pick<Tokenizer, "decode">, write: (text: string) => void): TextStream {
  const ids: number[] = [];
  let written = "";
  const goOn = (text: string): void => {
    if (text.length <= written.length || !text.startsWith(written)) return;
    write(text.slice(written.length));
    written = text;
  };
  return {
    add(id) {
      ids.push(id);
      goOn(tokenizer.decode(ids).replace(UNFINISHED, ""));
    },
    end: goOn,
    get hasBegun() {
      return written !== "";
    },
  };
}
