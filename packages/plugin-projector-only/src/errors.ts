import { ThawError } from "@thaw/core";

/** A segment made something of an item that no run can use, and no cache keeps. */
export function featureNotFinite(segment: string, contentKey: string, index: number, value: number): ThawError {
  return new ThawError(
    "THAW_PROJECTOR_ONLY_FEATURE_NOT_FINITE",
    `The value ${index} of what ${segment} made of the item ${contentKey.slice(0, 16)} is ${value}. In the feature ` +
      "cache. Look at this item and at the precision: frozen weights were finite when they were read.",
    { details: { segment, contentKey, index, value } },
  );
}
