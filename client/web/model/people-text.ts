/** Names that are said; of more, the first two and how many others. */
const MOST_NAMES = 3;

/** Says names in a row: `ana, bob and 5 others`. */
export function listOf(names: readonly string[]): string {
  const said = names.length > MOST_NAMES ? names.slice(0, 2) : names.slice(0, -1);
  const last =
    names.length > MOST_NAMES ? `${(names.length - 2).toLocaleString("en")} others` : names.at(-1)!;
  return said.length === 0 ? last : `${said.join(", ")} and ${last}`;
}

/** Says who has come and gone. */
export function movesText(came: readonly string[], gone: readonly string[]): string {
  const parts = [
    ...(came.length === 0 ? [] : [`${listOf(came)} joined`]),
    ...(gone.length === 0 ? [] : [`${listOf(gone)} left`]),
  ];
  return parts.join("; ");
}

/** Says who is typing; an empty text for nobody. */
export function typingText(names: readonly string[]): string {
  if (names.length === 0) return "";
  if (names.length > 2) return `${names.length.toLocaleString("en")} people are typing…`;
  return `${listOf(names)} ${names.length === 1 ? "is" : "are"} typing…`;
}
