import type { Terminal } from "./terminal.js";
import { countText, durationText, lossText } from "./render/text.js";

/** A bar on standard error: moving on a terminal, a line every few seconds elsewhere. */
export interface Progress {
  /** Begins a stretch of `total` units, `from` of them done; ends the one before. */
  begin(label: string, total: number, from?: number): void;
  /** Training: what the bar says beside its length. */
  step(done: number, facts: { readonly loss: number; readonly tokensPerSecond: number }): void;
  /** Anything else: units done. */
  advance(done: number): void;
  end(): void;
}

interface Bar {
  start(total: number, value: number, payload: object): void;
  update(value: number, payload: object): void;
  stop(): void;
}

/** How often a line is written where no terminal is. */
const LINE_EVERY_MS = 10_000;

/** A bar that writes nothing; for `--quiet`. */
export function silentProgress(): Progress {
  return { begin: () => {}, step: () => {}, advance: () => {}, end: () => {} };
}

/** A progress bar that ends in `ETA`, from the mean speed of its stretch. */
export async function createProgress(terminal: Terminal, now: () => number = Date.now): Promise<Progress> {
  const { default: cliProgress } = await import("cli-progress");
  const { errorColors: colors } = terminal;
  let bar: Bar | undefined;
  let stretch = { label: "", total: 0, from: 0, begunAt: 0, lineAt: 0 };
  const makeBar = (): Bar =>
    new cliProgress.SingleBar({
      format: `${colors.cyan("{label}")} {bar} {facts}`,
      barsize: 24, hideCursor: true, clearOnComplete: false, linewrap: false, fps: 8, gracefulExit: false, stream: process.stderr,
      barCompleteChar: "━", barIncompleteChar: " ", barGlue: "",
    });
  const show = (done: number, facts: readonly string[]): void => {
    const elapsed = now() - stretch.begunAt;
    const isDone = done >= stretch.total;
    const remaining = (elapsed / Math.max(1, done - stretch.from)) * (stretch.total - done);
    const eta = isDone ? durationText(elapsed) : done > stretch.from ? `ETA ${durationText(remaining)}` : "ETA -";
    const text = [`${countText(done)}/${countText(stretch.total)}`, ...facts, eta].join("  ");
    if (bar !== undefined) bar.update(done, { label: stretch.label, facts: text });
    else if (now() - stretch.lineAt >= LINE_EVERY_MS || isDone) {
      stretch.lineAt = now();
      terminal.err(`${stretch.label} ${text}`);
    }
  };
  const end = (): void => {
    bar?.stop();
    bar = undefined;
  };
  return {
    begin(label, total, from = 0) {
      end();
      stretch = { label, total, from, begunAt: now(), lineAt: now() };
      if (!terminal.isInteractive) return;
      bar = makeBar();
      bar.start(total, from, { label, facts: `${countText(from)}/${countText(total)}` });
    },
    step: (done, { loss, tokensPerSecond }) => show(done, [`loss ${lossText(loss)}`, `${countText(tokensPerSecond)} tokens/s`]),
    advance: (done) => show(done, []),
    end,
  };
}
