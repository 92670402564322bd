import { Template } from "@huggingface/jinja";
import { ThawError, type Message, type Modality } from "@thaw/contracts";
import { bounded } from "./bounded.js";
import { readCheckpointJson, readCheckpointText } from "./checkpoint-file.js";
import { templateFailed } from "../errors/samples.js";
import { renderBounded } from "./template-interpreter.js";
import type { SpecialTokens } from "./tokenizer.js";

/** A checkpoint's chat template. */
export interface ChatTemplate {
  /** @throws THAW_DATA_TEMPLATE when the template refuses the conversation. */
  render(messages: readonly Message[], options?: { readonly addGenerationPrompt?: boolean }): string;
}

const PROBE = "thawprobe";

/** What stands for one item of a kind in a text, of the kinds that the model reads. */
type Placeholders = Readonly<Partial<Record<Modality, string>>>;

/**
 * Messages with text instead of parts, for templates of text-only models; items come before the text that follows
 * them.
 */
function flatten(
  messages: readonly Message[],
  placeholders: Placeholders,
): { readonly role: string; readonly content: string }[] {
  return messages.map(({ role, content }) => ({
    role,
    content: content
      .map((part) => {
        if (part.type === "text") return part.text;
        const placeholder = placeholders[part.type];
        if (placeholder === undefined) throw new Error(`the model reads no item of the kind ${part.type}`);
        return `${placeholder}\n`;
      })
      .join(""),
  }));
}

/** A template reads lists of parts, or text only: then it prints a list as a whole, or refuses it. */
function readsParts(render: (messages: readonly unknown[]) => string): boolean {
  try {
    const text = render([{ role: "user", content: [{ type: "text", text: PROBE }] }]);
    return text.includes(PROBE) && !/["']type["']/.test(text);
  } catch {
    return false;
  }
}

/**
 * Compiles a Jinja chat template with transformers' whitespace rules. `source` names it in messages.
 * @throws THAW_DATA_TEMPLATE on a syntax error
 */
export function compileChatTemplate(
  text: string,
  options: { readonly source: string; readonly special: SpecialTokens; readonly placeholders: Placeholders },
): ChatTemplate {
  const { source, special, placeholders } = options;
  let template: Template;
  try {
    template = bounded(source, () => new Template(text));
  } catch (cause) {
    if (cause instanceof ThawError) throw cause;
    // The library looks behind its last token
    throw templateFailed(source, cause instanceof TypeError ? new Error("it is cut off", { cause }) : cause);
  }
  const render = (messages: readonly unknown[], addGenerationPrompt = false): string =>
    renderBounded(template.parsed, {
      ...special.named,
      messages,
      // transformers passes these always: a template asks whether they are none.
      tools: null,
      documents: null,
      add_generation_prompt: addGenerationPrompt,
      bos_token: special.bos ?? "",
      eos_token: special.eos ?? "",
      pad_token: special.pad ?? "",
      unk_token: special.unk ?? "",
    });
  const structured = bounded(source, () => readsParts(render));
  return {
    render: (messages, { addGenerationPrompt } = {}) => {
      try {
        return bounded(source, () =>
          render(structured ? messages : flatten(messages, placeholders), addGenerationPrompt),
        );
      } catch (cause) {
        if (cause instanceof ThawError) throw cause;
        throw templateFailed(source, cause);
      }
    },
  };
}

/** `chat_template` is a text or a list of named ones, of which `default` is taken. */
function templateText(value: unknown): string | undefined {
  if (typeof value === "string") return value;
  if (!Array.isArray(value)) return undefined;
  const named = (value as readonly { readonly name?: unknown; readonly template?: unknown }[]).find(
    (entry) => entry.name === "default",
  );
  return typeof named?.template === "string" ? named.template : undefined;
}

/** What finding a chat template needs. */
export interface ChatTemplateOptions {
  readonly special: SpecialTokens;
  readonly placeholders: Placeholders;
  /** True: the tokenizer's own is not looked at. Default: false. */
  readonly isProcessors?: boolean;
}

/**
 * Finds the chat template of a checkpoint folder: `chat_template.jinja`, `chat_template.json`, `processor_config.json`,
 * `tokenizer_config.json`, in this order. Undefined where there is none.
 */
export async function loadChatTemplate(
  folder: string,
  { isProcessors = false, ...options }: ChatTemplateOptions,
): Promise<ChatTemplate | undefined> {
  let text = await readCheckpointText(folder, "chat_template.jinja");
  let source = `${folder}/chat_template.jinja`;
  for (const name of ["chat_template.json", "processor_config.json", "tokenizer_config.json"]) {
    if (text !== undefined || (isProcessors && name === "tokenizer_config.json")) break;
    text = templateText((await readCheckpointJson(folder, name))?.["chat_template"]);
    source = `${folder}/${name}`;
  }
  return text === undefined ? undefined : compileChatTemplate(text, { source, ...options });
}
