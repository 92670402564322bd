const ASSIGNMENT = /^([A-Za-z_]\w*)=(.*)$/s;
const SUM = /^\$\(\(?\s*(?:expr\s+)?(\d+)\s*([-+*/])\s*(\d+)\s*\)?\)$/;

/** The expansion that begins at a `$`: `$NAME`, `${...}`, `$(...)` or `$((...))`; a lone `$` otherwise. */
export function expansionAt(text: string, start: number): string {
  const name = /^\$[A-Za-z_]\w*/.exec(text.slice(start, start + 256));
  if (name !== null) return name[0];
  const open = text[start + 1];
  const close = open === "(" ? ")" : open === "{" ? "}" : undefined;
  if (close === undefined) return "$";
  let depth = 0;
  for (let index = start + 1; index < text.length; index++) {
    if (text[index] === open) depth++;
    else if (text[index] === close && --depth === 0) return text.slice(start, index + 1);
  }
  return "$";
}

/** What an expansion stands for where the script itself says so; else the expansion as it is written. */
export function expand(written: string, variables: ReadonlyMap<string, string>): string {
  const name = /^\$\{?([A-Za-z_]\w*)\}?$/.exec(written)?.[1];
  if (name !== undefined) return variables.get(name) ?? written;
  const known = written.replaceAll(/\$?\{?([A-Za-z_]\w*)\}?/g, (whole, inner: string) => variables.get(inner) ?? whole);
  const [, left, operator, right] = SUM.exec(known) ?? [];
  if (left === undefined) return written;
  const [a, b] = [Number(left), Number(right)];
  if (operator === "/" && b === 0) return written;
  return String(operator === "+" ? a + b : operator === "-" ? a - b : operator === "*" ? a * b : Math.trunc(a / b));
}

/**
 * Keeps what the line that ends here assigns (`NAME=value`, `export NAME=value`). Assignments before a command are that
 * command's alone.
 */
export function remember(words: readonly { readonly text: string }[], variables: Map<string, string>): void {
  const start = words.findLastIndex(({ text }) => text === "\n") + 1;
  const own = words.slice(start).map(({ text }) => text);
  const assigned = own[0] === "export" ? own.slice(1) : own;
  const matches = assigned.map((word) => ASSIGNMENT.exec(word));
  if (matches.some((match) => match === null)) return;
  for (const match of matches) variables.set(match![1]!, match![2]!);
}
