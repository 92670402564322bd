/** Text made safe for element content and quoted attributes. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

/** Markup that needs no escaping any more. */
export interface Html {
  readonly html: string;
}

/** Template tag: interpolated text is escaped, `Html` and lists of it are not. */
export function html(
  strings: TemplateStringsArray,
  ...values: readonly (string | number | Html | readonly Html[] | undefined)[]
): Html {
  const parts = strings.map((text, index) => text + (index < values.length ? render(values[index]) : ""));
  return { html: parts.join("") };
}

/** Markup from elsewhere (an SVG), taken as it is. */
export function trusted(markup: string): Html {
  return { html: markup };
}

function render(value: string | number | Html | readonly Html[] | undefined): string {
  if (value === undefined) return "";
  if (typeof value === "string" || typeof value === "number") return escapeHtml(String(value));
  return Array.isArray(value) ? (value as readonly Html[]).map((part) => part.html).join("") : (value as Html).html;
}
