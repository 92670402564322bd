import type { Message } from "./sample.js";

/** A checkpoint's chat template. */
export interface ChatTemplate {
  /** @throws THAW_DATA_TEMPLATE when the template refuses the conversation. */
  render(messages: readonly Message[], options?: { readonly addGenerationPrompt?: boolean }): string;
}
