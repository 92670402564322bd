import { editDistance } from "@thaw/core";

/** `train_mm_proj_only` to `trainMmProjOnly`; other spellings stay. */
export function toCamel(key: string): string {
  return key.replace(/(?<=[A-Za-z0-9])_+([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

/** `trainMmProjOnly` to `train_mm_proj_only`; other spellings stay. */
export function toSnake(key: string): string {
  return key.replace(/(?<=[a-z0-9])[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** True for `freeze_vision_tower`; false for `model`, which is written the same both ways. */
export function isSnake(key: string): boolean {
  return toCamel(key) !== key;
}

/** The name most like the given one, spelling style aside; undefined where none is near. */
export function nearestName(given: string, names: Iterable<string>): string | undefined {
  const wanted = toCamel(given).toLowerCase();
  let best: { readonly candidate: string; readonly distance: number } | undefined;
  for (const candidate of names) {
    const name = toCamel(candidate).toLowerCase();
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
