import { rankLost, type LostRank } from "@thaw/core";
import { setTimeout as sleep } from "node:timers/promises";
import type { ByteStream } from "./byte-stream.js";
import { deferred, type Deferred } from "./deferred.js";

/** What ranks tell each other by way of rank 0. */
type Message =
  | { readonly kind: "gather"; readonly index: number; readonly value: unknown }
  | { readonly kind: "all"; readonly index: number; readonly values: readonly unknown[] }
  | { readonly kind: "lost"; readonly lost: LostRank }
  /** This rank, or the one that is named, has ended in order. */
  | { readonly kind: "left"; readonly rank: number };

interface Round {
  readonly given: Map<number, unknown>;
  readonly done: Deferred<readonly unknown[]>;
}

const UNREACHABLE = "its connection ended: the process has ended, or its host cannot be reached";
const ENDED = "it has ended";
/** How long a rank that others end waits for rank 0, which may be saving. */
const LINGER_MS = 20_000;
/** How long a rank waits for the reason why a connection ended. */
const REASON_MS = 1000;

/** Messages of all ranks, through rank 0, and the knowledge that one is lost. */
export class Messages {
  readonly rank: number;
  readonly size: number;
  readonly #streams: ReadonlyMap<number, ByteStream>;
  readonly #rounds = new Map<number, Round>();
  readonly #left = new Set<number>();
  readonly #ended: Promise<unknown>;
  readonly #failed = deferred<never>();
  #calls = 0;
  #lost: LostRank | undefined;
  #isClosing = false;

  constructor(rank: number, size: number, streams: ReadonlyMap<number, ByteStream>) {
    this.rank = rank;
    this.size = size;
    this.#streams = streams;
    // Who waits for nothing does not have to hear of it
    this.#failed.promise.catch(() => undefined);
    this.#ended = Promise.all(
      [...streams].map(([other, stream]) =>
        new Promise<void>((resolve) => stream.onClosed(() => resolve())).then(() => this.#closed(other)),
      ),
    );
    for (const [other, stream] of streams) void this.#listen(other, stream);
  }

  /** Rejects as soon as a rank is lost. */
  guard<T>(work: Promise<T>): Promise<T> {
    return Promise.race([work, this.#failed.promise]);
  }

  /** What each rank gave, by rank. @throws THAW_CORE_RANK_LOST */
  async gather<T>(value: T): Promise<readonly T[]> {
    const index = this.#calls++;
    const round = this.#round(index);
    if (this.rank === 0) this.#give(index, 0, value);
    else if (this.#left.has(0)) this.lose({ rank: 0, reason: ENDED });
    else this.#send(0, { kind: "gather", index, value });
    const values = await this.guard(round.done.promise);
    this.#rounds.delete(index);
    return values as readonly T[];
  }

  /** A connection with a rank ended: after a moment, in which the reason may come, that rank is lost. */
  async suspect(rank: number): Promise<void> {
    await sleep(REASON_MS, undefined, { ref: false });
    if (!this.#isClosing) this.lose({ rank, reason: this.#left.has(rank) ? ENDED : UNREACHABLE });
  }

  /** Ends all calls under way and to come, here and on all ranks. */
  lose(lost: LostRank): void {
    if (this.#lost !== undefined) return;
    this.#lost = lost;
    for (const rank of this.#streams.keys()) this.#send(rank, { kind: "lost", lost });
    this.#failed.reject(rankLost(lost));
  }

  /**
   * Leaves. After a failure every rank but the first waits for rank 0 to have left, which may be saving: where a
   * scheduler ends all processes with the first that ends, that one is not in its way.
   */
  async close(): Promise<void> {
    if (this.#isClosing) return;
    this.#isClosing = true;
    if (this.#lost === undefined)
      for (const rank of this.#streams.keys()) this.#send(rank, { kind: "left", rank: this.rank });
    else if (this.rank !== 0 && this.#lost.rank !== 0) {
      const timer = AbortSignal.timeout(LINGER_MS);
      await Promise.race([this.#ended, new Promise((resolve) => timer.addEventListener("abort", resolve))]);
    }
    for (const stream of this.#streams.values()) stream.end();
  }

  #round(index: number): Round {
    const known = this.#rounds.get(index);
    if (known !== undefined) return known;
    const round: Round = { given: new Map(), done: deferred() };
    this.#rounds.set(index, round);
    return round;
  }

  /** On rank 0. */
  #give(index: number, rank: number, value: unknown): void {
    const { given, done } = this.#round(index);
    given.set(rank, value);
    if (given.size < this.size) return this.#judgeLeft();
    const values = Array.from({ length: this.size }, (_, one) => given.get(one));
    for (const other of this.#streams.keys()) this.#send(other, { kind: "all", index, values });
    done.resolve(values);
  }

  /** On rank 0: a rank that has left gives nothing to a round that waits for it. */
  #judgeLeft(): void {
    for (const { given } of this.#rounds.values()) {
      const missing = [...this.#left].find((rank) => !given.has(rank));
      if (missing !== undefined && given.size < this.size) this.lose({ rank: missing, reason: ENDED });
    }
  }

  #send(rank: number, message: Message): void {
    this.#streams.get(rank)!.writeMessage(message);
  }

  async #listen(other: number, stream: ByteStream): Promise<void> {
    try {
      for (;;) this.#hear(other, (await stream.readMessage()) as Message);
    } catch {
      // Told by onClosed
    }
  }

  #hear(other: number, message: Message): void {
    if (message.kind === "gather") this.#give(message.index, other, message.value);
    else if (message.kind === "all") this.#round(message.index).done.resolve(message.values);
    else if (message.kind === "lost") this.lose(message.lost);
    else {
      this.#left.add(message.rank);
      if (this.rank === 0) {
        for (const rank of this.#streams.keys()) if (rank !== other) this.#send(rank, message);
        this.#judgeLeft();
      } else if (message.rank === 0 && [...this.#rounds.values()].some(({ given }) => given.size === 0))
        this.lose({ rank: 0, reason: ENDED });
    }
  }

  #closed(other: number): void {
    if (this.#isClosing || this.#left.has(other)) return;
    void this.suspect(other);
  }
}
