import { iconInvalid } from "../../errors/files.js";

/** Geometry and transformations of an icon or an alias. */
export interface IconProperties {
  readonly left?: number;
  readonly top?: number;
  readonly width?: number;
  readonly height?: number;
  /** Quarter turns clockwise. */
  readonly rotate?: number;
  readonly hFlip?: boolean;
  readonly vFlip?: boolean;
  readonly hidden?: boolean;
}

/** An icon set in Iconify's JSON format (`icons.json` of an `@iconify-json` package). */
export interface IconSet extends IconProperties {
  readonly prefix: string;
  readonly icons: Readonly<Record<string, IconProperties & { readonly body: string }>>;
  readonly aliases?: Readonly<Record<string, IconProperties & { readonly parent: string }>>;
}

/** An icon with everything inherited. */
export interface ResolvedIcon extends Required<IconProperties> {
  readonly body: string;
}

/** What a child says wins, but turns add up and flips cancel (`mergeIconData` of @iconify/utils 3.0). */
function merge(parent: IconProperties, child: IconProperties): IconProperties {
  return {
    ...parent,
    ...child,
    rotate: ((parent.rotate ?? 0) + (child.rotate ?? 0)) % 4,
    hFlip: (parent.hFlip === true) !== (child.hFlip === true),
    vFlip: (parent.vFlip === true) !== (child.vFlip === true),
  };
}

/**
 * Finds an icon or alias of a set and what it inherits from its parents and the set.
 * @throws THAW_DATA_ICON_INVALID for an unknown name or parents in a circle
 */
export function resolveIcon(set: IconSet, name: string): ResolvedIcon {
  let properties: IconProperties = {};
  const seen = new Set<string>();
  for (let current = name; ;) {
    if (seen.has(current))
      throw iconInvalid(set.prefix, name, `The alias has itself as a parent (${[...seen, current].join(" > ")}).`);
    seen.add(current);
    const icon = Object.hasOwn(set.icons, current) ? set.icons[current] : undefined;
    const alias = set.aliases !== undefined && Object.hasOwn(set.aliases, current) ? set.aliases[current] : undefined;
    const found = icon ?? alias;
    if (found === undefined) throw iconInvalid(set.prefix, name, `There is no icon "${current}".`);
    properties = merge(found, properties);
    if (icon !== undefined) {
      const {
        left = set.left ?? 0,
        top = set.top ?? 0,
        width = set.width ?? 16,
        height = set.height ?? 16,
      } = properties;
      const { rotate = 0, hFlip = false, vFlip = false, hidden = false } = properties;
      return { body: icon.body, left, top, width, height, rotate, hFlip, vFlip, hidden };
    }
    current = (alias as { readonly parent: string }).parent;
  }
}

/**
 * The icon as a drawing with its own view box, transformations applied. As `iconToSVG` of @iconify/utils 3.0 (MIT),
 * which splits `<defs>` out of the transformed group; here they stay inside, which draws the same.
 */
export function iconSvg(icon: ResolvedIcon): string {
  let { left, top, width, height } = icon;
  let rotate = ((icon.rotate % 4) + 4) % 4;
  const transformations: string[] = [];
  if (icon.hFlip && icon.vFlip) {
    rotate = (rotate + 2) % 4;
  } else if (icon.hFlip) {
    transformations.push(`translate(${width + left} ${-top}) scale(-1 1)`);
    [left, top] = [0, 0];
  } else if (icon.vFlip) {
    transformations.push(`translate(${-left} ${height + top}) scale(1 -1)`);
    [left, top] = [0, 0];
  }
  if (rotate === 1) transformations.unshift(`rotate(90 ${height / 2 + top} ${height / 2 + top})`);
  if (rotate === 2) transformations.unshift(`rotate(180 ${width / 2 + left} ${height / 2 + top})`);
  if (rotate === 3) transformations.unshift(`rotate(-90 ${width / 2 + left} ${width / 2 + left})`);
  if (rotate % 2 === 1) [left, top, width, height] = [top, left, height, width];
  const body =
    transformations.length === 0 ? icon.body : `<g transform="${transformations.join(" ")}">${icon.body}</g>`;
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="${left} ${top} ` +
    `${width} ${height}">${body}</svg>`
  );
}
