import { Worker } from "node:worker_threads";
import type { Cut, FunctionName, Functions, Memory, Modules } from "./functions.js";
import { cut, FUNCTION_NAMES, MOST_NUMBERS, type Work } from "./work.js";

/** Bits of a ticket that count pieces; all of them set: the job is being written. */
const PIECE_BITS = 12;
const CLOSED = (1 << PIECE_BITS) - 1;
const MOST_PIECES = CLOSED - 1;
/** How often the end of the last pieces is looked for before the thread sleeps until it is told. */
const LOOKS = 2000;

/**
 * Words that threads share. `ticket`: the job's number, and in its lower bits the piece to take next. `done`: pieces
 * computed. `failed`: pieces that a thread could not compute. Then the number of the function, of pieces, and the
 * work's own numbers.
 */
const WORDS = { ticket: 0, done: 1, failed: 2, name: 3, total: 4, numbers: 5 };
const LENGTH = WORDS.numbers + MOST_NUMBERS;
type Words = Int32Array<SharedArrayBuffer>;

/** What a thread of a team is started with. */
export interface MemberData {
  readonly words: Words;
  readonly memory: Memory;
  readonly modules: Modules;
  readonly thread: number;
}

/** Threads that compute on one memory. */
export interface Team {
  readonly threads: number;
  /** Computes with all threads that have come up by now; the calling one is one of them. */
  compute(work: Work): void;
}

/**
 * Starts a team: the calling thread and `threads - 1` workers, which never keep the process alive. Nothing is waited
 * for: as long as a worker has not come up, the others do its part.
 */
export function startTeam(memory: Memory, modules: Modules, functions: Functions, threads: number): Team {
  const words = new Int32Array(new SharedArrayBuffer(4 * LENGTH));
  const file = import.meta.url.replace(/\/src\/wasm\/team\.ts.*$/, "/dist/wasm/team.js");
  for (let thread = 1; thread < threads; thread += 1) {
    const workerData: MemberData = { words, memory, modules, thread };
    const worker = new Worker(new URL("team-worker.js", file), { workerData, execArgv: [] });
    // Without it the others compute all pieces
    worker.on("error", () => undefined);
    worker.unref();
  }
  const alone = (pieces: Cut): void => {
    for (let piece = 0; piece < pieces.total; piece += 1) pieces.compute(functions, piece, 0);
  };
  let job = 0;
  return {
    threads,
    compute(work) {
      const pieces = cut(work, MOST_PIECES);
      const { total } = pieces;
      if (threads === 1 || total < 2 || total > MOST_PIECES) {
        alone(pieces);
        return;
      }
      job += 1;
      offer(words, job, work, total);
      workOff(words, functions, 0);
      awaitDone(words, total);
      if (Atomics.load(words, WORDS.failed) > 0) alone(pieces);
    },
  };
}

/** Writes a job where the last one stood, all of whose pieces are done, and wakes the team. */
function offer(words: Words, job: number, { name, numbers }: Work, total: number): void {
  // A thread that still holds the last job's ticket must not take a piece by this one's numbers
  Atomics.store(words, WORDS.ticket, (job << PIECE_BITS) | CLOSED);
  Atomics.store(words, WORDS.done, 0);
  Atomics.store(words, WORDS.failed, 0);
  Atomics.store(words, WORDS.name, FUNCTION_NAMES.indexOf(name));
  Atomics.store(words, WORDS.total, total);
  numbers.forEach((number, index) => Atomics.store(words, WORDS.numbers + index, number));
  Atomics.store(words, WORDS.ticket, job << PIECE_BITS);
  Atomics.notify(words, WORDS.ticket);
}

/**
 * Takes and computes pieces of the current job until none is left. Returns the ticket at which none was.
 *
 * A job is not overwritten before all its pieces are done, so numbers read before a piece was taken belong to it: had
 * the job changed meanwhile, the ticket would be another and the piece not be given.
 */
export function workOff(words: Words, functions: Functions, thread: number): number {
  for (;;) {
    const ticket = Atomics.load(words, WORDS.ticket);
    const total = Atomics.load(words, WORDS.total);
    const piece = ticket & CLOSED;
    if (piece >= total) return ticket;
    const work: Work = {
      name: FUNCTION_NAMES[Atomics.load(words, WORDS.name)] as FunctionName,
      numbers: Array.from({ length: MOST_NUMBERS }, (_, index) => Atomics.load(words, WORDS.numbers + index)),
    };
    if (Atomics.compareExchange(words, WORDS.ticket, ticket, ticket + 1) !== ticket) continue;
    try {
      cut(work, MOST_PIECES).compute(functions, piece, thread);
    } catch {
      Atomics.add(words, WORDS.failed, 1);
    }
    if (Atomics.add(words, WORDS.done, 1) + 1 === total) Atomics.notify(words, WORDS.done);
  }
}

/** Sleeps until another job than that of `ticket` is there. */
export function awaitJob(words: Words, ticket: number): void {
  Atomics.wait(words, WORDS.ticket, ticket);
}

function awaitDone(words: Words, total: number): void {
  for (let look = 0; look < LOOKS; look += 1) if (Atomics.load(words, WORDS.done) >= total) return;
  for (;;) {
    const done = Atomics.load(words, WORDS.done);
    if (done >= total) return;
    Atomics.wait(words, WORDS.done, done);
  }
}
