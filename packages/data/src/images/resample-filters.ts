/** Pillow's filters by name; `resample` in `preprocessor_config.json` is the number. */
export const RESAMPLE_NAMES = ["nearest", "lanczos", "bilinear", "bicubic", "box", "hamming"] as const;
export type ResampleName = (typeof RESAMPLE_NAMES)[number];

/** A kernel that is zero outside `[-support, support]`, in pixels of the smaller grid. */
export interface ResampleFilter {
  readonly support: number;
  weight(distance: number): number;
}

function sinc(value: number): number {
  if (value === 0) return 1;
  const angle = value * Math.PI;
  return Math.sin(angle) / angle;
}

/** Keys' kernel with a = -0.5. */
function bicubic(distance: number): number {
  const a = -0.5;
  const x = Math.abs(distance);
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
}

function hamming(distance: number): number {
  const x = Math.abs(distance);
  if (x === 0) return 1;
  if (x >= 1) return 0;
  const angle = x * Math.PI;
  return (Math.sin(angle) / angle) * (0.54 + 0.46 * Math.cos(angle));
}

/**
 * Formulas: python-pillow/Pillow, `src/libImaging/Resample.c` (12.3.0). Nearest is not among them: it copies pixels.
 */
export const RESAMPLE_FILTERS: Readonly<Record<Exclude<ResampleName, "nearest">, ResampleFilter>> = {
  box: { support: 0.5, weight: (x) => (x > -0.5 && x <= 0.5 ? 1 : 0) },
  bilinear: { support: 1, weight: (x) => Math.max(0, 1 - Math.abs(x)) },
  hamming: { support: 1, weight: hamming },
  bicubic: { support: 2, weight: bicubic },
  lanczos: { support: 3, weight: (x) => (x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0) },
};
