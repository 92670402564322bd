export { bytesText, countText, durationText } from "@thaw/core";

/** A measurement: four significant digits. */
export function numberText(value: number | null | undefined): string {
  if (value === undefined || value === null || Number.isNaN(value)) return "-";
  if (Number.isInteger(value) && Math.abs(value) < 1e6) return String(value);
  return Math.abs(value) >= 1e4 || (value !== 0 && Math.abs(value) < 1e-3)
    ? value.toExponential(2)
    : String(Number(value.toPrecision(4)));
}

/** `2026-11-27 21:40 UTC` of an ISO date. */
export function timeText(iso: string): string {
  return `${iso.slice(0, 16).replace("T", " ")} UTC`;
}

/** The last part of a path: where things lie on the author's disk is nobody else's matter. */
export function lastPart(path: string): string {
  return path.slice(path.replaceAll("\\", "/").lastIndexOf("/") + 1);
}
