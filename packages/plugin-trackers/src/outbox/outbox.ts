import { appendFile, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { causeText, makeFolders, type SentLater } from "@thaw/core";

/** Pauses after attempts that failed, the last one again and again. */
const PAUSES_MS = [1000, 5000, 15_000, 60_000];
/** Letters of one attempt. */
const BATCH = 200;

/** What an outbox is opened with. */
export interface OutboxOptions<Letter> {
  readonly folder: string;
  /** Hands letters over, in order; what it throws leaves all of them unsent. May be called with the same ones again. */
  readonly deliver: (letters: readonly Letter[]) => Promise<void>;
  /** Called once, when letters first have to wait. */
  readonly onWaiting?: (reason: string) => void;
}

/**
 * Letters to somebody who may not be there: each is written down in `outbox.jsonl` before anything is sent, and
 * `sent.json` says how many of them have arrived. Nobody waits while they are sent.
 */
export class Outbox<Letter extends object> {
  readonly #options: OutboxOptions<Letter>;
  readonly #waiting: Letter[];
  #sent: number;
  #sending: Promise<void> | undefined;
  #failures = 0;
  #nextAttempt = 0;
  #reason: string | undefined;

  private constructor(options: OutboxOptions<Letter>, letters: readonly Letter[], sent: number) {
    this.#options = options;
    this.#waiting = letters.slice(sent);
    this.#sent = sent;
  }

  /** Opens the folder's outbox, also of an earlier part of the run; gives all letters that it holds. */
  static async open<Letter extends object>(
    options: OutboxOptions<Letter>,
  ): Promise<{ readonly outbox: Outbox<Letter>; readonly letters: readonly Letter[] }> {
    await makeFolders(options.folder);
    const path = join(options.folder, "outbox.jsonl");
    const text = await readFile(path, "utf8").catch(() => "");
    const letters = text.split("\n").flatMap((line) => parsed<Letter>(line) ?? []);
    // Half a line of a process that died
    const whole = letters.map((letter) => `${JSON.stringify(letter)}\n`).join("");
    if (whole !== text) await replace(path, whole);
    const sent = await readFile(join(options.folder, "sent.json"), "utf8").catch(() => "");
    const count = parsed<{ readonly sent?: number }>(sent)?.sent ?? 0;
    return { outbox: new Outbox(options, letters, Math.min(count, letters.length)), letters };
  }

  /** Writes a letter down, and begins to send where nothing is under way and the last failure is long enough ago. */
  async add(letter: Letter): Promise<void> {
    await appendFile(join(this.#options.folder, "outbox.jsonl"), `${JSON.stringify(letter)}\n`);
    this.#waiting.push(letter);
    if (this.#sending === undefined && Date.now() >= this.#nextAttempt) void this.#start();
  }

  /** Sends what waits, whenever the last attempt was. Says how many letters were sent since it was opened. */
  async flush(): Promise<SentLater> {
    const before = this.#sent;
    await this.#sending;
    if (this.#waiting.length > 0) await this.#start();
    const left = this.#waiting.length;
    return {
      sent: this.#sent - before,
      left,
      ...(left === 0 || this.#reason === undefined ? {} : { reason: this.#reason }),
    };
  }

  #start(): Promise<void> {
    this.#sending = this.#send().finally(() => {
      this.#sending = undefined;
    });
    return this.#sending;
  }

  async #send(): Promise<void> {
    try {
      while (this.#waiting.length > 0) {
        const letters = this.#waiting.slice(0, BATCH);
        await this.#options.deliver(letters);
        this.#waiting.splice(0, letters.length);
        this.#sent += letters.length;
        await replace(join(this.#options.folder, "sent.json"), `${JSON.stringify({ sent: this.#sent })}\n`);
      }
      this.#failures = 0;
    } catch (cause) {
      const isFirst = this.#reason === undefined;
      this.#reason = causeText(cause);
      this.#nextAttempt = Date.now() + PAUSES_MS[Math.min(this.#failures++, PAUSES_MS.length - 1)]!;
      if (isFirst) this.#options.onWaiting?.(this.#reason);
    }
  }
}

async function replace(path: string, text: string): Promise<void> {
  await writeFile(`${path}.new`, text);
  await rename(`${path}.new`, path);
}

function parsed<T>(text: string): T | undefined {
  try {
    return JSON.parse(text) as T;
  } catch {
    return undefined; // half a line, or the end of the file
  }
}
