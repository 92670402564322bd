import { tokensPerSecond, type RunEvent, type RunFacts } from "@thaw/core";
import type { Terminal } from "../terminal/terminal.js";

/** Lines of `thaw train --json`: one JSON object each, told apart by `event`. */
export interface EventWriter {
  write(event: string, fields: Readonly<Record<string, unknown>>): void;
}

/** Writes events to standard output where `isOn`, and nothing else. Numbers that JSON cannot say become strings. */
export function eventWriter(terminal: Terminal, isOn: boolean): EventWriter {
  return {
    write(event, fields) {
      if (isOn)
        terminal.out(
          JSON.stringify({ event, ...fields }, (_, value: unknown) =>
            typeof value === "number" && !Number.isFinite(value) ? String(value) : value,
          ),
        );
    },
  };
}

/**
 * `--json` as a subscriber of a run's events. What ends a run is written by the command, with what it made of it; a
 * sample's pictures are in the run folder.
 */
export function jsonEvents(events: EventWriter): (event: RunEvent, facts: RunFacts) => void {
  return (happened, { runFolder }) => {
    const { event, ...fields } = happened;
    if (event === "done" || event === "failed") return;
    if (happened.event === "started") events.write(event, { ...fields, runFolder });
    else if (happened.event === "step") events.write(event, { ...fields, tokensPerSecond: tokensPerSecond(happened) });
    else if (happened.event === "sample") events.write(event, { ...fields, images: happened.images.length });
    else events.write(event, fields);
  };
}
