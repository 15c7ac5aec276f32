import type { Piece } from "./ansi.ts";

export interface MarkedPiece extends Piece {
  readonly isMarked: boolean;
}

/** Cuts pieces where marks begin and end. Marks are [from, to) of the pieces' whole text, in order. */
export function markPieces(
  pieces: readonly Piece[],
  marks: readonly (readonly [number, number])[],
): readonly MarkedPiece[] {
  if (marks.length === 0) return pieces.map((piece) => ({ ...piece, isMarked: false }));
  const cut: MarkedPiece[] = [];
  let start = 0;
  let mark = 0;
  for (const { text, classes } of pieces) {
    let at = 0;
    while (at < text.length) {
      while (mark < marks.length && marks[mark]![1] <= start + at) mark += 1;
      const [from, to] = marks[mark] ?? [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
      const isMarked = from <= start + at;
      const end = Math.min(text.length, (isMarked ? to : from) - start);
      cut.push({ text: text.slice(at, end), classes, isMarked });
      at = end;
    }
    start += text.length;
  }
  return cut;
}
