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
