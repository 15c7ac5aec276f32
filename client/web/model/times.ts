export const TIME_STYLES = ["local", "utc", "relative"] as const;
/** How the times of a log are written. */
export type TimeStyle = (typeof TIME_STYLES)[number];

const two = (value: number): string => String(value).padStart(2, "0");

/** The time of a log's row. `now` and `time` are Unix milliseconds. */
export function logTime(time: number, style: TimeStyle, now: number): string {
  const date = new Date(time);
  if (Number.isNaN(date.getTime())) return "?";
  if (style === "utc") return `${date.toISOString().slice(11, 23)}Z`;
  if (style === "relative") return relativeTime(time, now);
  const milliseconds = String(date.getMilliseconds()).padStart(3, "0");
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${milliseconds}`;
}

function relativeTime(time: number, now: number): string {
  const seconds = Math.round((now - time) / 1_000);
  if (seconds < 1) return "now";
  if (seconds < 60) return `${seconds}s ago`;
  if (seconds < 3_600) return `${Math.floor(seconds / 60)}m ago`;
  return seconds < 86_400 ? `${Math.floor(seconds / 3_600)}h ago` : `${Math.floor(seconds / 86_400)}d ago`;
}

/** Which day a message is of, by the reader's clock; the same text for the same day. */
export function dayOf(time: number): string {
  const date = new Date(time);
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}

/** What a day is called. */
export function dayName(time: number, now: number): string {
  const day = dayOf(time);
  if (day === dayOf(now)) return "Today";
  if (day === dayOf(now - 86_400_000)) return "Yesterday";
  const isThisYear = new Date(time).getFullYear() === new Date(now).getFullYear();
  return new Date(time).toLocaleDateString(undefined, {
    weekday: "long",
    day: "numeric",
    month: "long",
    ...(!isThisYear && { year: "numeric" }),
  });
}

export function clockTime(time: number): string {
  return new Date(time).toLocaleTimeString(undefined, { hour: "2-digit", minute: "2-digit" });
}
