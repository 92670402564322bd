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
