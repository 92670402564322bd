/** The middle of a list of numbers; the mean of the two middle ones where there is an even number of them. */
export function median(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** With so many significant digits. */
export function rounded(number, digits = 3) {
  return Number(number.toPrecision(digits));
}
