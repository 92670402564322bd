import type { Ensemble, Plugin } from "@thaw/core";
import type { EngineName } from "@thaw/plugin-processes";
import { badOption, othersFailed } from "../errors.js";
import type { Terminal } from "../terminal/terminal.js";
import type { Launched } from "./launch.js";
import { ownCard, placeOf, type Environment } from "./place.js";

/** Options of the command that say how processes train together, and those that all get. */
export interface TeamOptions {
  readonly set: readonly string[];
  readonly resume?: string;
  readonly trust?: boolean;
  readonly acceptPlanChange?: boolean;
  readonly acceptDataChange?: boolean;
  /** How many processes of this machine. */
  readonly processes?: string;
  /** Seconds. */
  readonly wait?: string;
  /** What sums gradients. */
  readonly engine?: EngineName;
}

/** The processes that a command trains with. */
export interface Team {
  readonly rank: number;
  readonly size: number;
  /** Connects them for one run. */
  readonly plugin: Plugin;
  /** Connects them for as long as the caller, who closes it, wants. */
  connect(): Promise<Ensemble>;
  /**
   * Waits for those that this process started; where it was never connected with them, they are ended. Resolves to how
   * many ended with an error.
   */
  end(): Promise<number>;
}

/** What a team is formed from, beside options. */
export interface TeamContext {
  readonly environment: Environment;
  /** Told what processes that this one starts say. */
  readonly onLine: (line: string) => void;
}

/**
 * Finds this process's place among those that a launcher started, or starts others as `--processes` says; undefined
 * where it trains alone. @throws THAW_CLI_OPTION, THAW_CLI_PLACE_WRONG
 */
export async function formTeam(
  configPath: string | undefined,
  options: TeamOptions,
  { environment, onLine }: TeamContext,
): Promise<Team | undefined> {
  const waitSeconds = wholeOption("--wait", options.wait);
  const count = wholeOption("--processes", options.processes);
  const found = placeOf(environment);
  if (found !== undefined && count !== undefined)
    throw badOption("--processes", String(count), `none: a launcher started ${found.size} processes already`);
  if (found === undefined && (count ?? 1) === 1) return undefined;
  let launched: Launched | undefined;
  if (found === undefined) {
    const { launch, sharedThreads } = await import("./launch.js");
    launched = await launch(count!, argumentsOf(configPath, options), environment, onLine);
    Object.assign(process.env, sharedThreads(count!, environment));
  }
  const place = found ?? launched!.place;
  const card = ownCard(environment, place);
  if (card !== undefined) process.env["CUDA_VISIBLE_DEVICES"] = card;
  const { connectProcesses, processes } = await import("@thaw/plugin-processes");
  const signal = launched?.signal;
  let isConnected = false;
  const connecting = {
    ...(waitSeconds === undefined ? {} : { waitSeconds }),
    ...(options.engine === undefined ? {} : { engine: options.engine }),
    ...(signal === undefined ? {} : { signal }),
    onConnected: () => {
      isConnected = true;
    },
  };
  return {
    rank: place.rank,
    size: place.size,
    plugin: processes(place, connecting),
    connect: () => connectProcesses(place, connecting),
    end: async () => (await launched?.end(!isConnected)) ?? 0,
  };
}

/** Works with a team, and then waits for it. @throws THAW_CLI_OTHERS_FAILED, and what `work` throws */
export async function withTeam<T>(team: Team, work: () => Promise<T>): Promise<T> {
  const result = await work().catch(async (error: unknown) => {
    await team.end();
    throw error;
  });
  const failed = await team.end();
  if (failed > 0) throw othersFailed(failed);
  return result;
}

/** What a process above rank 0 writes to: nothing, since rank 0 says it; errors are told at the end by all. */
export function silentTerminal(terminal: Terminal): Terminal {
  const ignore = (): void => {};
  const { colors, errorColors, width } = terminal;
  return {
    colors,
    errorColors,
    width,
    out: ignore,
    write: ignore,
    err: ignore,
    isInteractive: false,
    get input() {
      return terminal.input;
    },
  };
}

/** The command that other ranks run. */
function argumentsOf(
  configPath: string | undefined,
  { set, resume, trust, acceptPlanChange, acceptDataChange, wait, engine }: TeamOptions,
): readonly string[] {
  const flags = { trust, "accept-plan-change": acceptPlanChange, "accept-data-change": acceptDataChange };
  return [
    "train",
    ...(configPath === undefined ? [] : [configPath]),
    ...set.flatMap((value) => ["--set", value]),
    ...(resume === undefined ? [] : ["--resume", resume]),
    ...Object.entries(flags).flatMap(([name, isSet]) => (isSet === true ? [`--${name}`] : [])),
    ...(wait === undefined ? [] : ["--wait", wait]),
    ...(engine === undefined ? [] : ["--engine", engine]),
    "--quiet",
    "--log-level",
    "error",
  ];
}

function wholeOption(name: string, given: string | undefined): number | undefined {
  if (given === undefined) return undefined;
  const value = Number(given);
  if (!Number.isSafeInteger(value) || value < 1) throw badOption(name, given, "a whole number above 0");
  return value;
}
