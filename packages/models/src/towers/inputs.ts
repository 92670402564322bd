/** Name of the input that image towers read: one patch per row, `[patches, channels * patch * patch]`, normalised. */
export const PIXEL_VALUES = "pixelValues";
