/** HTML that cannot be broken by what is put into it: every inserted value is escaped unless it is markup made here. */

/** A piece of HTML that is safe to insert as it is; only `html` and `svg` templates make one. */
export class Markup {
  constructor(readonly text: string) {}
}

export type Insertable = string | number | Markup | readonly Markup[];

/** Escapes text for element content and quoted attributes. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

/** A template whose inserted values are escaped. */
export function html(parts: TemplateStringsArray, ...values: readonly Insertable[]): Markup {
  let text = parts[0] ?? '';
  for (const [index, value] of values.entries()) text += asHtml(value) + (parts[index + 1] ?? '');
  return new Markup(text);
}

function asHtml(value: Insertable): string {
  if (value instanceof Markup) return value.text;
  if (typeof value === 'string') return escapeHtml(value);
  if (typeof value === 'number') return String(value);
  return value.map((part) => part.text).join('');
}

/** A table with a caption; cells that are numbers or markup are aligned right. */
export function table(caption: string, head: readonly string[], rows: readonly (readonly Insertable[])[]): Markup {
  const cells = (row: readonly Insertable[]): Markup[] =>
    row.map((cell, index) => (index === 0 ? html`<th scope="row">${cell}</th>` : html`<td>${cell}</td>`));
  return html`<div class="scroll"><table><caption>${caption}</caption><thead><tr>${head.map((name) => html`<th scope="col">${name}</th>`)}</tr></thead>
<tbody>${rows.map((row) => html`<tr>${cells(row)}</tr>`)}</tbody></table></div>`;
}
