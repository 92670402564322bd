import type { Finding } from "./settings.js";

/** `1,994,240`. */
export function countText(count: number): string {
  return Math.round(count).toLocaleString("en-US");
}

/** `0 B`, `530 kB`, `1.2 MB`; thousands, as disks are sold. */
export function bytesText(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit === 0 || value >= 99.5 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

/** `240 ms`, `4.0 s`, `12 s`, `2 min 05 s`, `1 h 02 min`. */
export function durationText(milliseconds: number): string {
  const seconds = milliseconds / 1000;
  if (seconds < 0.9995) return `${Math.round(milliseconds)} ms`;
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  const pad = (value: number): string => String(value).padStart(2, "0");
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${pad(whole % 60)} s`;
  return `${Math.floor(whole / 3600)} h ${pad(Math.floor((whole % 3600) / 60))} min`;
}

/** Deepest nesting of lists and objects in a JSON file; the deepest that Thaw reads has ten. */
const MAX_JSON_DEPTH = 100;

/**
 * A JSON text of a file. Deep nesting, which later stumbles over the depth of calls, counts as an error in it.
 * @throws SyntaxError
 */
export function parseJson(text: string): unknown {
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    const letter = text.charCodeAt(at);
    if (letter === 0x22) {
      at += 1;
      while (at < text.length && text.charCodeAt(at) !== 0x22) at += text.charCodeAt(at) === 0x5c ? 2 : 1;
    } else if (letter === 0x7b || letter === 0x5b) {
      depth += 1;
      if (depth > MAX_JSON_DEPTH) throw new SyntaxError(`Lists and objects nest more than ${MAX_JSON_DEPTH} deep`);
    } else if (letter === 0x7d || letter === 0x5d) depth -= 1;
  }
  return JSON.parse(text) as unknown;
}

/** Longest part of a value or text of a file that a message shows. */
const MAX_SHOWN = 120;

/** A value of a file as a message shows it: as JSON, cut where it is long. */
export function shown(value: unknown): string {
  return cut(JSON.stringify(value) ?? String(value));
}

/** A text of a file as a message shows it, cut where it is long. */
export function cut(text: string): string {
  return text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN - 3)}...` : text;
}

/** Longest run of characters without a blank that a message shows whole; paths are shorter. */
const MAX_WORD = 1000;
/** Longest line of a message, with what it quotes. */
const MAX_LINE = 2500;

/** A message with names, values and lines that are beyond all measure cut in their middle. */
export function cutWords(message: string): string {
  const words = message.replaceAll(/\S{1001,}/g, (word) => cutMiddle(word, MAX_WORD / 2));
  return words.replaceAll(/[^\n]{2501,}/g, (line) => cutMiddle(line, MAX_LINE));
}

/** Beginning and end of what is longer than `most`. */
function cutMiddle(text: string, most: number): string {
  return text.length > most ? `${text.slice(0, most / 2)}...${text.slice(-most / 2)}` : text;
}

/** A finding of which no part is beyond all measure, whatever values of a file it quotes. */
export function cutFinding(finding: Finding): Finding {
  const bounded = (text: string): string => cutMiddle(cutWords(text), MAX_LINE);
  return { ...finding, message: bounded(finding.message), fix: bounded(finding.fix) };
}

const SECRETS = Symbol.for("@thaw/secrets");
/** Names by value, of whichever copy of this package learned them. */
const secrets: Map<string, string> = ((globalThis as { [SECRETS]?: Map<string, string> })[SECRETS] ??= new Map());
/** Shorter ones stand in many a word. */
const SHORTEST_SECRET = 4;

/** Notes a value that nothing is to show, and the name of the environment variable that holds it. */
export function keepSecret(value: string, name: string): void {
  if (value.length >= SHORTEST_SECRET) secrets.set(value, name);
}

/** A text that is to be written or shown, with `{env: NAME}` in place of the values of secrets. */
export function withoutSecrets(text: string): string {
  let result = text;
  for (const [value, name] of secrets) {
    for (const form of new Set([value, JSON.stringify(value).slice(1, -1)]))
      if (result.includes(form)) result = result.replaceAll(form, `{env: ${name}}`);
  }
  return result;
}
