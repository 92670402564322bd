// @ts-check

/**
 * One compared tensor or number.
 * @typedef {{ readonly folder: string; readonly quantity: string; readonly maxError: number; readonly tolerance:
 * number; readonly pass: boolean }} Comparison
 */

/**
 * An infinite error, as where a tensor is absent or has another size, is written as the largest number: JSON knows no
 * infinity.
 * @param {string} folder
 * @param {string} quantity
 * @param {number} maxError
 * @param {number} tolerance
 * @returns {Comparison}
 */
export function judged(folder, quantity, maxError, tolerance) {
  return { folder, quantity, maxError: Math.min(maxError, Number.MAX_VALUE), tolerance, pass: maxError <= tolerance };
}

/**
 * Largest absolute difference; infinite where the counts differ or a number is missing.
 * @param {ArrayLike<number> | undefined} got
 * @param {ArrayLike<number>} wanted
 * @param {(index: number) => boolean} [isCompared]
 */
export function maxDifference(got, wanted, isCompared = () => true) {
  if (got === undefined || got.length !== wanted.length) return Infinity;
  let largest = 0;
  for (let index = 0; index < wanted.length; index++) {
    if (!isCompared(index)) continue;
    const difference = Math.abs(/** @type {number} */ (got[index]) - /** @type {number} */ (wanted[index]));
    if (Number.isNaN(difference)) return Infinity;
    largest = Math.max(largest, difference);
  }
  return largest;
}

/**
 * Largest difference relative to the wanted number.
 * @param {readonly number[]} got
 * @param {readonly number[]} wanted
 */
export function maxRelativeDifference(got, wanted) {
  return maxDifference(
    got.map((value, index) => value / /** @type {number} */ (wanted[index])),
    wanted.map(() => 1),
  );
}

/** @param {ArrayLike<number>} values */
export function maxAbsolute(values) {
  return maxDifference(values, new Float32Array(values.length));
}

/** @param {Comparison} comparison */
export function toText({ folder, quantity, maxError, tolerance, pass }) {
  return (
    `${pass ? "pass" : "FAIL"}  ${maxError.toExponential(2).padStart(9)} of ` +
    `${tolerance.toExponential(2).padStart(8)}  ${folder}  ${quantity}`
  );
}
