import type { Finding, Origin } from "@thaw/core";

/** Both from 1. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** One place that settings come from: a file, a preset, the command line or a program. */
export interface Layer {
  readonly origin: Exclude<Origin, "default">;
  /** Absolute; absent for the command line and for programs. */
  readonly file?: string;
  /** Relative paths in this layer start here. */
  readonly folder: string;
  /** For messages: the file, or `--set`. */
  readonly label: string;
  /** True for the command line, whose lists replace others; those of files join where they can. */
  readonly replacesLists?: boolean;
  /** The root mapping as written. */
  readonly value: unknown;
  /** Set where it was read from a folder that may come from anywhere: it names no code. */
  readonly isData?: boolean;
  /** Its syntax is wrong, so that what it says is not known. */
  readonly isBroken?: boolean;
  /** Where a key (or its value) stands; undefined where that is not known. The path is spelt as written. */
  locate(path: readonly string[], part: "key" | "value"): Position | undefined;
}

/** A layer and what is wrong with its syntax. */
export interface ReadLayer {
  readonly layer: Layer;
  readonly findings: readonly Finding[];
}

/** The position of a path or of the nearest mapping around it. */
export function locateNearest(layer: Layer, path: readonly string[], part: "key" | "value"): Position | undefined {
  for (let length = path.length; length > 0; length--) {
    const position = layer.locate(path.slice(0, length), length === path.length ? part : "key");
    if (position !== undefined) return position;
  }
  return undefined;
}

/** `file:line:column`, as far as it is known. */
export function describePlace(layer: Layer, position: Position | undefined): string {
  return position === undefined ? layer.label : `${layer.label}:${position.line}:${position.column}`;
}
