import { ThawError, type Session } from "@thaw/core";
import type { Modality, Processor } from "@thaw/data";
import { Conversation } from "../chat/conversation.js";
import { textStream } from "../chat/text-stream.js";
import { chatCommandWrong } from "../errors.js";
import { openConfiguredProcessor } from "../running/build-run.js";
import { decodingOf, type DecodingFlags } from "../running/decoding.js";
import { openSession } from "../running/open-run.js";
import { openTarget } from "../running/run-folder.js";
import { readLines } from "../terminal/lines.js";
import { createLogger, type LogLevel } from "../terminal/log.js";
import { errorLine, type Terminal } from "../terminal/terminal.js";

/** Options of `thaw chat`. */
export interface ChatOptions extends DecodingFlags {
  readonly model: string;
  readonly system?: string;
  /** Paths that the first question shows. */
  readonly image: readonly string[];
  readonly audio: readonly string[];
  readonly maxNewTokens: number;
  readonly backend?: string;
  /** The run may name code. */
  readonly trust?: boolean;
  readonly json?: boolean;
  readonly logLevel: LogLevel;
}

/**
 * Answers line by line what is typed or piped in, each line knowing those before it. What cannot be used (a path, a
 * system message, a question too long) is told on standard error, and the chat goes on without. Ctrl-C ends the answer
 * that is being written, else the chat. Returns 130 where that ended it, 1 where lines that were piped in failed.
 */
export async function chat(options: ChatOptions, terminal: Terminal): Promise<number> {
  const logger = await createLogger(options.logLevel, { isJson: options.json === true });
  const target = await openTarget(options.model, { ...options, terminal });
  const processor = await openConfiguredProcessor(target.config);
  const { session } = await openSession(target, logger);
  try {
    return await new Chat(session, processor, options, terminal).run();
  } finally {
    await session.close();
  }
}

/** A line that begins with a word behind a slash; a path has more slashes. */
const COMMAND = /^\/(\w*)(?:\s+(.*))?$/;

class Chat {
  readonly #session: Session;
  readonly #processor: Processor;
  readonly #options: ChatOptions;
  readonly #terminal: Terminal;
  readonly #conversation: Conversation;
  #turn = 0;
  #failures = 0;
  /** Ends the answer that is being written. */
  #answering: AbortController | undefined;

  constructor(session: Session, processor: Processor, options: ChatOptions, terminal: Terminal) {
    this.#session = session;
    this.#processor = processor;
    this.#options = options;
    this.#terminal = terminal;
    this.#conversation = new Conversation(processor);
  }

  async run(): Promise<number> {
    const { system, image, audio } = this.#options;
    if (system !== undefined) await this.#attempt(() => this.#conversation.setSystem(system));
    for (const path of image) await this.#attempt(() => this.#conversation.attach("image", path));
    for (const path of audio) await this.#attempt(() => this.#conversation.attach("audio", path));
    let isLeft = false;
    const lines = readLines(this.#terminal, "> ", () => {
      if (this.#answering?.signal.aborted === false) return this.#answering.abort();
      isLeft = true;
      lines.close();
    });
    try {
      lines.prompt();
      for await (const line of lines) {
        if (isLeft || line.trim() === "/quit") break;
        await this.#attempt(() => this.#obey(line.trim()));
        lines.prompt();
      }
    } finally {
      lines.close();
    }
    if (isLeft) return 130;
    return this.#failures > 0 && !lines.isTyped ? 1 : 0;
  }

  /** Tells what went wrong; mistakes of ours end the chat. */
  async #attempt(run: () => void | Promise<void>): Promise<void> {
    try {
      await run();
    } catch (error) {
      if (!(error instanceof ThawError)) throw error;
      this.#failures += 1;
      this.#terminal.err(errorLine(error, this.#terminal));
    }
  }

  async #obey(line: string): Promise<void> {
    if (line === "") return;
    const [, command, value = ""] = COMMAND.exec(line) ?? [];
    if (command === undefined) return this.#answer(line);
    if ((command === "image" || command === "audio") && value !== "")
      return this.#conversation.attach(command satisfies Modality, value);
    if (command !== "reset" || value !== "") throw chatCommandWrong(line);
    this.#conversation.reset();
    this.#turn = 0;
  }

  async #answer(question: string): Promise<void> {
    const terminal = this.#terminal;
    const isJson = this.#options.json === true;
    const source = await this.#conversation.ask(question);
    const stream = textStream(this.#processor.tokenizer, (text) => terminal.write(text));
    const stopping = new AbortController();
    this.#answering = stopping;
    try {
      for await (const batch of source.prompts({ microBatchSize: 1 })) {
        const limit = this.#limit(batch.tokenIds.length);
        const [ids = []] = await this.#session.generate(batch, {
          maxNewTokens: limit,
          ...decodingOf(this.#options, this.#turn),
          signal: stopping.signal,
          ...(isJson ? {} : { onToken: (_row: number, id: number) => stream.add(id) }),
        });
        const answer = this.#processor.tokenizer.decode(ids);
        const media = this.#conversation.answered(question, answer);
        this.#turn += 1;
        const end = ids.length === limit ? "limit" : stopping.signal.aborted ? "interrupt" : "token";
        if (isJson)
          terminal.out(JSON.stringify({ turn: this.#turn, question, media, answer, tokens: ids.length, end }));
        else stream.end(answer);
      }
      if (!isJson) terminal.out("");
    } catch (error) {
      if (stream.hasBegun) terminal.out("");
      throw error;
    } finally {
      this.#answering = undefined;
      await source.close();
    }
  }

  /** New tokens that a prompt of so many leaves room for: the last one that is written is not read. */
  #limit(promptTokens: number): number {
    return Math.min(this.#options.maxNewTokens, (this.#processor.maxPositions ?? Infinity) - promptTokens + 1);
  }
}
