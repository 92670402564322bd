import { ThawError } from "@thaw/contracts";
import {
  mediaReference,
  openQuestions,
  type DataSource,
  type Message,
  type Modality,
  type Processor,
  type Sample,
  type SampleMedia,
} from "@thaw/data";
import { noSystemRole } from "../errors.js";

/** What errors call the sample that a chat is. */
const ORIGIN = "the chat";

/** What was said so far, with the items that it shows, and those that the next question will show. */
export class Conversation {
  readonly #processor: Processor;
  #system: readonly Message[] = [];
  #said: readonly Message[] = [];
  #shown: readonly SampleMedia[] = [];
  #next: readonly SampleMedia[] = [];

  constructor(processor: Processor) {
    this.#processor = processor;
  }

  /** Puts a system message before all that is said. @throws THAW_CLI_CHAT_SYSTEM where the template leaves it out */
  setSystem(text: string): void {
    const system = [{ role: "system", content: [{ type: "text", text }] }] as const;
    const { template, source } = this.#processor;
    let rendered: string | undefined;
    try {
      rendered = template?.render([...system, question([], "?")], { addGenerationPrompt: true });
    } catch (error) {
      throw error instanceof ThawError && error.code === "THAW_DATA_TEMPLATE" ? noSystemRole(source, error) : error;
    }
    if (rendered?.includes(text.trim()) !== true) throw noSystemRole(source);
    this.#system = system;
  }

  /**
   * The next question shows the item of this path, once it is seen to be whole and of a kind that the model reads.
   * @throws THAW_DATA_IMAGE_*, THAW_DATA_AUDIO_*, THAW_DATA_MODALITY
   */
  async attach(modality: Modality, path: string): Promise<void> {
    const folder = process.cwd();
    const item = mediaReference(path, modality, { image: folder, audio: folder }, ORIGIN);
    await (await this.#open([question([item], "?")], [item])).close();
    this.#next = [...this.#next, item];
  }

  /**
   * Opens all that was said, closed by a question: one prompt, which the caller closes. Nothing is kept until
   * {@link answered}. @throws THAW_DATA_*
   */
  ask(text: string): Promise<DataSource> {
    const messages = [...this.#system, ...this.#said, question(this.#next, text)];
    return this.#open(messages, [...this.#shown, ...this.#next]);
  }

  /** Keeps a question with its answer; returns the paths of what it showed. */
  answered(text: string, answer: string): readonly string[] {
    const items = this.#next;
    const reply: Message = { role: "assistant", content: [{ type: "text", text: answer }] };
    this.#said = [...this.#said, question(items, text), reply];
    this.#shown = [...this.#shown, ...items];
    this.#next = [];
    return items.map(({ source }) => (source.kind === "file" ? source.path : "(inline)"));
  }

  /** Forgets all but the system message. */
  reset(): void {
    this.#said = [];
    this.#shown = [];
    this.#next = [];
  }

  /** Few items, each read once or twice: they are decoded on this thread. */
  #open(messages: readonly Message[], media: readonly SampleMedia[]): Promise<DataSource> {
    const sample: Sample = { id: ORIGIN, origin: ORIGIN, messages, media, reference: "" };
    return openQuestions([sample], { processor: this.#processor, baseFolder: process.cwd(), workers: 0 });
  }
}

/** A user's turn: its items, then its text. */
function question(items: readonly SampleMedia[], text: string): Message {
  return { role: "user", content: [...items.map(({ modality }) => ({ type: modality })), { type: "text", text }] };
}
