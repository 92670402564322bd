import { append, ownerByPrefix, type ComponentDeclaration, type ParameterInfo, type Segment } from "@thaw/contracts";

const TOWER = /^(.+)_tower$/;
const PROJECTOR = /^(.+)_projector$/;
const LANGUAGE_MODEL = "language_model";

/**
 * One segment per component, in data-flow order, for models whose forward pass is not known: enough to say how
 * gradients flow between components. Names tell it: an `x_tower` reads items; an `x_projector` follows the `x_tower`,
 * or, where there is none, every tower without a projector of its own; the language model follows what no projector
 * does; everything else comes behind it.
 */
export function componentSegments(
  components: readonly ComponentDeclaration[],
  parameters: readonly ParameterInfo[],
): readonly Segment[] {
  const owned = new Map<string, string[]>();
  for (const { name } of parameters) {
    const owner = ownerByPrefix(name, components);
    if (owner !== undefined) append(owned, owner, name);
  }
  const names = components.map(({ name }) => name);
  const towers = names.filter((name) => TOWER.test(name));
  const projectors = names.filter((name) => PROJECTOR.test(name));
  const own = new Map(
    projectors.map((name) => [name, towers.filter((tower) => tower === `${PROJECTOR.exec(name)![1]}_tower`)]),
  );
  const free = towers.filter((tower) => ![...own.values()].flat().includes(tower));
  const behind = (projector: string): readonly string[] => {
    const tower = own.get(projector)!;
    return tower.length > 0 ? tower : free;
  };
  const followed = new Set(projectors.flatMap(behind));
  const ends = [...towers.filter((tower) => !followed.has(tower)), ...projectors];
  const last = names.filter((name) => name !== LANGUAGE_MODEL && !towers.includes(name) && !projectors.includes(name));
  const segment = (name: string, reads: readonly string[], after: readonly string[]): readonly Segment[] =>
    owned.has(name)
      ? [{ name, reads, after: after.filter((before) => owned.has(before)), parameters: owned.get(name)! }]
      : [];
  return [
    ...towers.flatMap((name) => segment(name, [inputOf(name)], [])),
    ...projectors.flatMap((name) => segment(name, [], behind(name))),
    ...segment(LANGUAGE_MODEL, [], ends),
    ...last.flatMap((name) => segment(name, [], [LANGUAGE_MODEL])),
  ];
}

/** A name for what a tower reads: its items are never seen. */
function inputOf(tower: string): string {
  return `${TOWER.exec(tower)![1]}Items`;
}
