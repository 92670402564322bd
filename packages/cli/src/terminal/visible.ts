import { withoutSecrets } from "@thaw/contracts";

/** Colours, which Thaw writes itself; everything else that a terminal obeys is shown, not done. */
// oxlint-disable-next-line no-control-regex
const OBEYED = /\u001b\[[0-9;]*m|[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g;
const SHOWN_CONTROL = 0x2400;

/**
 * Text that quotes foreign input (names in files, templates, captions) for a terminal: control characters and marks
 * that turn the direction of writing become visible signs, and values of secrets their names. Lines, tabs and colours
 * stay.
 */
export function visible(text: string): string {
  return withoutSecrets(text).replace(OBEYED, (found) => {
    if (found.length > 1) return found;
    const code = found.charCodeAt(0);
    if (code < 0x20) return String.fromCharCode(SHOWN_CONTROL + code);
    return code === 0x7f ? "\u2421" : `<U+${code.toString(16).toUpperCase().padStart(4, "0")}>`;
  });
}
