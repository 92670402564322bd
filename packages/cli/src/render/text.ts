/** `0.442`; a dash for what is not there. */
export function scoreText(value: number | undefined): string {
  return value === undefined || Number.isNaN(value) ? "-" : value.toFixed(3);
}

/** A loss: four significant digits. */
export function lossText(value: number | undefined): string {
  return value === undefined ? "-" : Number.isFinite(value) ? value.toPrecision(4) : String(value);
}

/** Width on a terminal: colour codes take none. */
export function visibleLength(text: string): number {
  // oxlint-disable-next-line no-control-regex
  return text.replace(/\u001b\[[0-9;]*m/g, "").length;
}

/** A column of a table. */
export interface Column {
  readonly title: string;
  readonly align?: "left" | "right";
}

/** Lines of a table with a rule below its head. The last column wraps at `width`; cells may hold colours. */
export function table(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  options: { readonly width: number; readonly dim?: (text: string) => string },
): readonly string[] {
  const dim = options.dim ?? ((text: string) => text);
  const widths = columns.map((column, index) =>
    Math.max(visibleLength(column.title), ...rows.map((row) => visibleLength(row[index] ?? ""))),
  );
  const last = columns.length - 1;
  const before = widths.slice(0, last).reduce((sum, width) => sum + width + 2, 0);
  if (columns[last]?.align !== "right")
    widths[last] = Math.min(widths[last] ?? 0, Math.max(16, options.width - before));
  const line = (cells: readonly string[]): readonly string[] => {
    const wrapped = columns[last]?.align === "right" ? [cells[last] ?? ""] : wrap(cells[last] ?? "", widths[last]!);
    return wrapped.map((text, row) =>
      columns
        .map((column, index) =>
          pad(index === last ? text : row === 0 ? (cells[index] ?? "") : "", widths[index]!, column.align),
        )
        .join("  ")
        .trimEnd(),
    );
  };
  const head = line(columns.map(({ title }) => title)).map(dim);
  return [...head, dim(widths.map((width) => "─".repeat(width)).join("  ")), ...rows.flatMap(line)];
}

function pad(text: string, width: number, align: Column["align"]): string {
  const space = " ".repeat(Math.max(0, width - visibleLength(text)));
  return align === "right" ? space + text : text + space;
}

/**
 * Lines of at most `width` columns, broken at spaces; a word that is longer by itself (a path, a name with dots) is
 * broken behind one of its signs, else where the line ends. Text with colours is not broken.
 */
export function wrap(text: string, width: number): readonly string[] {
  if (visibleLength(text) <= width || text.includes("\u001b")) return [text];
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > width && word.length <= width) {
      lines.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
    while (line.length > width) {
      const end = breakOf(line, width);
      lines.push(line.slice(0, end).trimEnd());
      line = line.slice(end).trimStart();
    }
  }
  return line === "" ? lines : [...lines, line];
}

/** Where a word is broken that does not fit: behind its last sign in the second half of the line, else at its end. */
function breakOf(word: string, width: number): number {
  const sign = /[ /\\._:,=-](?=[^ /\\._:,=-]*$)/u.exec(word.slice(0, width));
  return sign !== null && sign.index + 1 > width / 2 ? sign.index + 1 : width;
}

/** `Stage 1 of 2: align`. */
export function stageTitle(name: string, index: number, count: number): string {
  return `Stage ${index + 1} of ${count}: ${name}`;
}

/** A word as a POSIX shell takes it: quoted where it holds anything but letters, digits and harmless signs. */
export function shellWord(text: string): string {
  return /^[\w./:@%+,=-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
