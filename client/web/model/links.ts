/** A piece of a message: plain text, or a link. */
export interface TextPiece {
  readonly text: string;
  /** Only ever http or https. */
  readonly href?: string;
}

const ADDRESS = /\bhttps?:\/\/[^\s<>"'`\u00A0]+/gi;

/** Finds the links in a text. */
export function linkify(text: string): readonly TextPiece[] {
  const pieces: TextPiece[] = [];
  let done = 0;
  for (const { 0: found, index } of text.matchAll(ADDRESS)) {
    const address = withoutTail(found);
    if (!isSafe(address)) continue;
    if (index > done) pieces.push({ text: text.slice(done, index) });
    pieces.push({ text: address, href: address });
    done = index + address.length;
  }
  if (done < text.length) pieces.push({ text: text.slice(done) });
  return pieces;
}

/** Without what ends a sentence rather than an address, and without a bracket that was opened before it. */
function withoutTail(address: string): string {
  let end = address.length;
  for (;;) {
    const last = address[end - 1]!;
    const isClosing = last === ")" && count(address.slice(0, end), ")") > count(address, "(");
    if (!isClosing && !".,;:!?]}*_…".includes(last)) return address.slice(0, end);
    end -= 1;
  }
}

function count(text: string, character: string): number {
  return text.split(character).length - 1;
}

function isSafe(address: string): boolean {
  try {
    const { protocol, hostname } = new URL(address);
    return (protocol === "http:" || protocol === "https:") && hostname !== "";
  } catch {
    return false;
  }
}
