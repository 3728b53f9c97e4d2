// Makes hostile text inert: what a log line may do to a terminal, to Markdown and to HTML.

/** Control characters (C0 but tab, DEL, C1, bidi overrides, line separators) shown as visible escapes, so that a terminal only prints. */
export function inertLine(text: string): string {
  return text.replace(
    /[\u0000-\u0008\u000a-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g,
    (c) => {
      const code = c.charCodeAt(0);
      return code < 0x100 ? `\\x${code.toString(16).padStart(2, "0")}` : `\\u${code.toString(16).padStart(4, "0")}`;
    },
  );
}

/** Halves of surrogate pairs that stand alone become U+FFFD: no encoding has them. */
export const wellFormed = (text: string): string => text.replace(/[\ud800-\udfff]/gu, "\ufffd");

/** HTML text and attribute values. */
export function escapeHtml(text: string): string {
  return inertLine(text).replace(/[&<>"'`]/g, (c) => `&#${c.charCodeAt(0)};`);
}

/** Markdown inline text. */
export function escapeMarkdown(text: string): string {
  return inertLine(text).replace(/[\\`*_{}[\]()#+!|<>~&]/g, (c) =>
    c === "<" ? "&lt;" : c === ">" ? "&gt;" : `\\${c}`,
  );
}
