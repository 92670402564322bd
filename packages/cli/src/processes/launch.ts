import { spawn, type ChildProcess } from "node:child_process";
import { randomBytes } from "node:crypto";
import { availableParallelism } from "node:os";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { freePort, type Place } from "@thaw/plugin-processes";
import type { Environment } from "./place.js";

const COMMAND = fileURLToPath(new URL("../../bin/thaw.js", import.meta.url));
/** How long ranks may take to end after rank 0: they write nothing. */
const END_MS = 30_000;

/** The other processes of this machine that train along. */
export interface Launched {
  /** Of this process: rank 0. */
  readonly place: Place;
  /** Aborted when one of them ends with an error, with the reason. */
  readonly signal: AbortSignal;
  /** Waits until all have ended; `atOnce`: ends them. Resolves to how many ended with an error. */
  end(atOnce: boolean): Promise<number>;
}

/**
 * Starts `count - 1` processes that run the same command as ranks above 0 of this machine. What they say on standard
 * error is told line by line, with their rank. They die with this process: their connection with it ends.
 */
export async function launch(
  count: number,
  args: readonly string[],
  environment: Environment,
  onLine: (line: string) => void,
): Promise<Launched> {
  const place: Place = {
    rank: 0,
    size: count,
    localRank: 0,
    address: "127.0.0.1",
    port: await freePort(),
    token: randomBytes(32).toString("hex"),
  };
  const failure = new AbortController();
  const ended = Array.from({ length: count - 1 }, (_, index) => {
    const rank = index + 1;
    const child = spawn(process.execPath, [...process.execArgv, COMMAND, ...args], {
      stdio: ["ignore", "ignore", "pipe"],
      env: {
        ...environment,
        ...sharedThreads(count, environment),
        RANK: String(rank),
        WORLD_SIZE: String(count),
        LOCAL_RANK: String(rank),
        MASTER_ADDR: place.address,
        MASTER_PORT: String(place.port),
        THAW_TOKEN: place.token,
      },
    });
    createInterface({ input: child.stderr }).on("line", (line) => onLine(`[rank ${rank}] ${line}`));
    return { child, code: endOf(child, rank, (reason) => failure.abort(new Error(reason))) };
  });
  return {
    place,
    signal: failure.signal,
    end: async (atOnce) => {
      const kill = (): void => ended.forEach(({ child }) => void child.kill("SIGKILL"));
      const timer = setTimeout(kill, atOnce ? 0 : END_MS);
      const codes = await Promise.all(ended.map(({ code }) => code));
      clearTimeout(timer);
      return codes.filter((isRight) => !isRight).length;
    },
  };
}

/** Threads of native kernels: what the machine has, shared out, where nobody says otherwise. */
export function sharedThreads(count: number, environment: Environment): Environment {
  const threads = String(Math.max(1, Math.floor(availableParallelism() / count)));
  return Object.fromEntries(
    ["OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS"].map((name) => [name, environment[name] ?? threads]),
  );
}

/** True once it ended in order. */
function endOf(child: ChildProcess, rank: number, onError: (reason: string) => void): Promise<boolean> {
  return new Promise((resolve) => {
    child.once("error", (error) => {
      onError(`Rank ${rank} could not be started: ${error.message}.`);
      resolve(false);
    });
    child.once("exit", (code, signal) => {
      // What signals stop ends with their number
      const isRight = code !== null && (code === 0 || code > 128);
      if (!isRight) onError(`Rank ${rank} ended with ${signal ?? `exit code ${code}`}.`);
      resolve(isRight);
    });
  });
}
