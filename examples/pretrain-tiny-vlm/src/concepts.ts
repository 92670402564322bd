import { createHash } from "node:crypto";

/** What this example reads of an Iconify set (`icons.json` of an `@iconify-json` package). */
export interface IconSet {
  readonly prefix: string;
  readonly width?: number;
  readonly height?: number;
  readonly icons: Readonly<
    Record<
      string,
      { readonly body: string; readonly width?: number; readonly height?: number; readonly hidden?: boolean }
    >
  >;
}

/** One nameable picture. */
export interface Concept {
  /** As in the set: `dog-face`. */
  readonly name: string;
  /** The name with spaces: `dog face`. */
  readonly caption: string;
  readonly svg: string;
}

const TONES = ["light", "medium-light", "medium", "medium-dark", "dark"];

/** Concepts whose name hashes to 0 modulo 10 are never trained, in any set. */
export function isUnseenConcept(name: string): boolean {
  return (createHash("sha1").update(name).digest()[0] as number) % 10 === 0;
}

/** The visible pictures of a set without skin-tone variants, in the set's order. */
export function conceptsOf(set: IconSet): Concept[] {
  const concepts: Concept[] = [];
  for (const [name, icon] of Object.entries(set.icons)) {
    if (icon.hidden === true || name.endsWith("-skin-tone") || isBareTone(name, set)) continue;
    const width = icon.width ?? set.width ?? 16;
    const height = icon.height ?? set.height ?? 16;
    const svg =
      `<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="0 0 ${width} ` +
      `${height}">${icon.body}</svg>`;
    concepts.push({ name, caption: name.replaceAll("-", " "), svg });
  }
  return concepts;
}

/**
 * True for `hand-medium-dark` beside `hand`: a set that spells tones without `-skin-tone`. `traffic-light` has no
 * `traffic`.
 */
function isBareTone(name: string, set: IconSet): boolean {
  return TONES.some((tone) => name.endsWith(`-${tone}`) && name.slice(0, -tone.length - 1) in set.icons);
}
