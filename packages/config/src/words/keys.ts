import { editDistance, toCamelCase } from "@thaw/core";

/** True for `freeze_vision_tower`; false for `model`, which is written the same both ways. */
export function isSnake(key: string): boolean {
  return toCamelCase(key) !== key;
}

/** The name most like the given one, spelling style aside; undefined where none is near. */
export function nearestName(given: string, names: Iterable<string>): string | undefined {
  const wanted = toCamelCase(given).toLowerCase();
  let best: { readonly candidate: string; readonly distance: number } | undefined;
  for (const candidate of names) {
    const name = toCamelCase(candidate).toLowerCase();
    // A name that was cut short is near as well: freeze_vison for freeze_vision_tower.
    const distance = Math.min(
      editDistance(wanted, name),
      wanted.length < 5 ? Infinity : editDistance(wanted, name.slice(0, wanted.length)) + 1,
    );
    if (
      distance <= Math.max(wanted.length > 3 ? 2 : 1, wanted.length * 0.4) &&
      (best === undefined || distance < best.distance)
    )
      best = { candidate, distance };
  }
  return best?.candidate;
}
