import { withoutSecrets } from "@thaw/core";

/** Text made safe for element content and quoted attributes; values of secrets are left out. */
function escapeHtml(text: string): string {
  return withoutSecrets(text).replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

/** Markup that needs no escaping any more. */
export interface Html {
  readonly html: string;
}

/** What a template may hold. */
export type Interpolated = string | number | Html | readonly Html[] | undefined;

/** Template tag: interpolated text is escaped, `Html` and lists of it are not. */
export function html(strings: TemplateStringsArray, ...values: readonly Interpolated[]): Html {
  const parts = strings.map((text, index) => text + (index < values.length ? render(values[index]) : ""));
  return { html: parts.join("") };
}

/** Markup from elsewhere (an SVG), taken as it is. */
export function trusted(markup: string): Html {
  return { html: markup };
}

/** Data for the page's script, as a block that browsers do not run. */
export function dataBlock(value: unknown): Html {
  const text = withoutSecrets(JSON.stringify(value)).replaceAll("<", "\\u003c");
  return trusted(`<script type="application/json">${text}</script>`);
}

/** A table in a box that scrolls by itself, also by the keyboard. */
export function table(
  label: string,
  columns: readonly { readonly title: string; readonly isNumber?: boolean }[],
  rows: readonly (readonly Interpolated[])[],
): Html {
  const kind = (index: number): Html => trusted(columns[index]?.isNumber === true ? ' class="number"' : "");
  const head = columns.map(({ title }, index) => html`<th scope="col" ${kind(index)}>${title}</th>`);
  const body = rows.map(
    ([first, ...cells]) =>
      html`<tr>
        <th scope="row" ${kind(0)}>${first}</th>
        ${cells.map((cell, index) => html`<td${kind(index + 1)}>${cell}</td>`)}
      </tr> `,
  );
  return html`<div class="scroll" tabindex="0" role="region" aria-label="${label}">
    <table>
      <thead>
        <tr>
          ${head}
        </tr>
      </thead>
      <tbody>
        ${body}
      </tbody>
    </table>
  </div>`;
}

function render(value: Interpolated): string {
  if (value === undefined) return "";
  if (typeof value === "string" || typeof value === "number") return escapeHtml(String(value));
  return Array.isArray(value) ? (value as readonly Html[]).map((part) => part.html).join("") : (value as Html).html;
}
