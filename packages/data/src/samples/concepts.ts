import { createHash } from "node:crypto";
import type { IconSet } from "../formats/iconify/icon-svg.js";

const TONES = ["light", "medium-light", "medium", "medium-dark", "dark"] as const;

/** Concepts that are never trained, in any set: first byte of sha1(name) is 0 modulo 10. */
export function isUnseenConcept(name: string): boolean {
  return (createHash("sha1").update(name).digest()[0] as number) % 10 === 0;
}

function has(set: IconSet, name: string): boolean {
  return Object.hasOwn(set.icons, name) || (set.aliases !== undefined && Object.hasOwn(set.aliases, name));
}

/**
 * True for a skin-tone variant: a name that ends in `-skin-tone`, or in a bare tone where the set spells tones so,
 * which it does for a name that it has plain and in all five tones (`traffic-light` and `police-car-light` are no
 * variants).
 */
export function isSkinToneVariant(name: string, set: IconSet): boolean {
  if (name.endsWith("-skin-tone")) return true;
  return TONES.some((tone) => {
    if (!name.endsWith(`-${tone}`)) return false;
    const plain = name.slice(0, -tone.length - 1);
    return has(set, plain) && TONES.every((other) => has(set, `${plain}-${other}`));
  });
}

/** The caption of an icon: its name with spaces. */
export function captionOf(name: string): string {
  return name.replaceAll("-", " ");
}

/** The concept of a caption: its words joined by hyphens. */
export function conceptOf(caption: string): string {
  return caption.trim().replaceAll(/\s+/g, "-");
}
