/** Descriptions as they stand in the schema: paragraphs, code, and links to what they name. */
import { type GraphQLSchema, isEnumType } from "graphql";
import { Fragment, type ReactNode } from "react";

const WORDS = /`([^`]+)`|\b([A-Za-z]+)\b/g;

/** What a text can name, and the address of each on the page: types and root fields whose names are no English words. */
export function names(schema: GraphQLSchema): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const name of Object.keys(schema.getTypeMap())) if (!name.startsWith("__")) found.set(name, `#${name}`);
  for (const root of [schema.getQueryType(), schema.getMutationType(), schema.getSubscriptionType()]) {
    for (const field of Object.keys(root?.getFields() ?? {})) found.set(field, `#${root?.name ?? ""}.${field}`);
  }
  return found;
}

/** Paragraphs; a name leads to what it names, unless that is the part `of` the schema which the text is about. */
export function Text({ text, of, to }: { text: string; of: string; to: ReadonlyMap<string, string> }) {
  const paragraphs = text.split(/\n{2,}/).map((paragraph) => inline(paragraph.replaceAll("\n", " "), of, to));
  return paragraphs.map((paragraph, index) => <p key={index}>{paragraph}</p>);
}

function inline(text: string, of: string, to: ReadonlyMap<string, string>): ReactNode[] {
  const parts: ReactNode[] = [];
  let read = 0;
  for (const match of text.matchAll(WORDS)) {
    const [whole, code, word = ""] = match;
    const address = to.get(code ?? word);
    const isName = code !== undefined || /[a-z][A-Z]/.test(word);
    if (code === undefined && !(address && isName)) continue;
    parts.push(text.slice(read, match.index));
    const shown = code === undefined ? word : <code>{code}</code>;
    parts.push(address && address !== `#${of}` ? <a href={address}>{shown}</a> : shown);
    read = match.index + whole.length;
  }
  return [...parts, text.slice(read)].map((part, index) => <Fragment key={index}>{part}</Fragment>);
}

/** What a description says in the words that all of them use, as marks beside a name. */
export function marks(description: string): string[] {
  return [
    /\b(Requires ADMIN\.|Visible to ADMINs only\.)/.test(description) && "ADMIN",
    /\bRequires MARKER\b/.test(description) && "MARKER",
    /\bNull (for a VIEWER|unless you are an ADMIN)\b/.test(description) && "by role",
    /\bNot live\b/.test(description) && "not live",
    /(^|\. )Live: /.test(description) && "live",
  ].filter((mark) => mark !== false);
}

/** Whether a type is an enum that later versions may add to, as its description says. */
export function mayGrow(type: unknown): boolean {
  return isEnumType(type) && /Later versions may add values/.test(type.description ?? "");
}
