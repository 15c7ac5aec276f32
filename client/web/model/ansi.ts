import Anser from "anser";

/** A piece of a line that looks the same all through. */
export interface Piece {
  readonly text: string;
  /** For `class`; empty for plain text. */
  readonly classes: string;
}

/** Every escape sequence: CSI, OSC and the short ones. */
const SEQUENCES = /\u001B(?:\[[0-?]*[ -/]*[@-~]|\][^\u0007\u001B]*(?:\u0007|\u001B\\)?|[@-Z\\-_])/g;
/** Controls that mean nothing in a line; tab and line feed do. */
const CONTROLS = /[\u0000-\u0008\u000B-\u001F\u007F]/g;
const COLOURS_ONLY = /^\u001B\[[\d;:]*m$/;

/** A line without colours and controls. */
export function stripControls(text: string): string {
  return text.replace(SEQUENCES, "").replace(CONTROLS, "");
}

/** Splits a line by its colours. 256 and true colours are left out: only the terminal's 16 have a place in the theme. */
export function piecesOf(text: string): readonly Piece[] {
  if (!text.includes("\u001B")) return [{ text: text.replace(CONTROLS, ""), classes: "" }];
  const colours = text.replace(SEQUENCES, (sequence) => (COLOURS_ONLY.test(sequence) ? sequence : ""));
  return Anser.ansiToJson(colours, { use_classes: true, remove_empty: true }).map(
    ({ content, fg, bg, decorations }) => ({
      text: content.replace(CONTROLS, ""),
      classes: [
        colourClass(fg, "fg"),
        colourClass(bg, "bg"),
        ...decorations.map((decoration) => `ansi-${decoration}`),
      ]
        .filter((name) => name !== "")
        .join(" "),
    }),
  );
}

function colourClass(name: string | null, side: "fg" | "bg"): string {
  return name !== null && /^ansi(-bright)?-(black|red|green|yellow|blue|magenta|cyan|white)$/.test(name)
    ? `${name}-${side}`
    : "";
}
