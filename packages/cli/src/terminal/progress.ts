import { bytesText, countText, durationText } from "@thaw/contracts";
import type { Terminal } from "./terminal.js";
import { lossText } from "../render/text.js";

/** What is told of a step. */
export interface StepFacts {
  readonly loss: number;
  readonly tokensPerSecond: number;
  /** By group of parameters. */
  readonly learningRates: Readonly<Record<string, number>>;
  /** Most bytes in tensors during the step. */
  readonly peakBytes?: number;
}

/** A bar on standard error: moving on a terminal, a line every few seconds elsewhere. */
export interface Progress {
  /**
   * Begins a stretch of `total` units, `from` of them done; ends the one before. `text` writes a number of units.
   */
  begin(label: string, total: number, from?: number, text?: (units: number) => string): void;
  /** Training: what the bar says beside its length. */
  step(done: number, facts: StepFacts): void;
  /** Anything else: units done. */
  advance(done: number): void;
  end(): void;
  /** Makes room for a line of text: the moving bar is drawn again below it. */
  clear(): void;
}

interface Bar {
  start(total: number, value: number, payload: object): void;
  update(value: number, payload: object): void;
  stop(): void;
}

/** How often a line is written where no terminal is. */
const LINE_EVERY_MS = 10_000;
const BAR_WIDTH = 24;
const FULL = "━";

/** A bar that writes nothing; for `--quiet`. */
export function silentProgress(): Progress {
  return { begin: () => {}, step: () => {}, advance: () => {}, end: () => {}, clear: () => {} };
}

/** A progress bar that ends in `ETA`, from the mean speed of its stretch. */
export async function createProgress(terminal: Terminal, now: () => number = Date.now): Promise<Progress> {
  const { default: cliProgress } = await import("cli-progress");
  const { errorColors: colors } = terminal;
  let bar: Bar | undefined;
  let stretch = { label: "", total: 0, from: 0, done: 0, facts: "", begunAt: 0, lineAt: 0, text: countText };
  // The library jumps back to where a bar began when it stops, so a bar lives only while nothing else is written.
  const startBar = (): void => {
    bar = new cliProgress.SingleBar({
      format: `${colors.cyan("{label}")} {bar} {facts}`,
      barsize: BAR_WIDTH,
      hideCursor: true,
      clearOnComplete: true,
      linewrap: false,
      fps: 8,
      gracefulExit: false,
      stream: process.stderr,
      barCompleteChar: FULL,
      barIncompleteChar: " ",
      barGlue: "",
    });
    bar.start(stretch.total, stretch.done, { label: stretch.label, facts: stretch.facts });
  };
  const clear = (): void => {
    bar?.stop();
    bar = undefined;
  };
  const end = (): void => {
    clear();
    if (!terminal.isInteractive || stretch.facts === "") return;
    const full = Math.round((BAR_WIDTH * stretch.done) / Math.max(1, stretch.total));
    terminal.err(`${colors.cyan(stretch.label)} ${FULL.repeat(full).padEnd(BAR_WIDTH)} ${stretch.facts}`);
    stretch.facts = "";
  };
  const show = (done: number, facts: readonly string[]): void => {
    const elapsed = now() - stretch.begunAt;
    const isDone = done >= stretch.total;
    const remaining = (elapsed / Math.max(1, done - stretch.from)) * (stretch.total - done);
    const eta = isDone ? durationText(elapsed) : done > stretch.from ? `ETA ${durationText(remaining)}` : "ETA -";
    stretch.done = done;
    stretch.facts = [`${stretch.text(done)}/${stretch.text(stretch.total)}`, ...facts, eta].join("  ");
    if (terminal.isInteractive) {
      if (bar === undefined) startBar();
      bar?.update(done, { label: stretch.label, facts: stretch.facts });
    } else if (now() - stretch.lineAt >= LINE_EVERY_MS || isDone) {
      stretch.lineAt = now();
      terminal.err(`${stretch.label} ${stretch.facts}`);
    }
  };
  return {
    begin(label, total, from = 0, text = countText) {
      end();
      stretch = { label, total, from, done: from, facts: "", begunAt: now(), lineAt: now(), text };
    },
    step: (done, { loss, tokensPerSecond, learningRates, peakBytes }) =>
      show(done, [
        `loss ${lossText(loss)}`,
        ...ratesText(learningRates),
        `${countText(tokensPerSecond)} tokens/s`,
        ...(peakBytes === undefined ? [] : [bytesText(peakBytes)]),
      ]),
    advance: (done) => show(done, []),
    end,
    clear,
  };
}

/** `rate 1.0e-3` where all groups have the same, else each with its group. */
function ratesText(rates: Readonly<Record<string, number>>): readonly string[] {
  const all = Object.entries(rates);
  const text = (rate: number): string => (rate === 0 ? "0" : rate.toExponential(1));
  if (new Set(Object.values(rates)).size === 1) return [`rate ${text(all[0]![1])}`];
  return all.length === 0 ? [] : [`rates ${all.map(([group, rate]) => `${group} ${text(rate)}`).join(", ")}`];
}
