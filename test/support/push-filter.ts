/** Takes messages to subscribers out of what a Redis sends in RESP3, on demand; all else passes as it is. */
export class PushFilter {
  dropped = 0;
  readonly #drops: () => boolean;
  #rest: Buffer = Buffer.alloc(0);

  constructor(drops: () => boolean) {
    this.#drops = drops;
  }

  /** What passes of the whole frames that there are by now; the rest waits for its end. */
  pass(piece: Buffer): Buffer {
    const bytes = this.#rest.length === 0 ? piece : Buffer.concat([this.#rest, piece]);
    const passed: Buffer[] = [];
    let at = 0;
    for (let end = frameEnd(bytes, at); end !== undefined; end = frameEnd(bytes, at)) {
      const frame = bytes.subarray(at, end);
      at = end;
      if (this.#drops() && isMessage(frame)) this.dropped += 1;
      else passed.push(frame);
    }
    this.#rest = bytes.subarray(at);
    return Buffer.concat(passed);
  }
}

function isMessage(frame: Buffer): boolean {
  return /^>\d+\r\n\$\d+\r\n(?:s|p)?message\r\n/.test(frame.subarray(0, 32).toString("latin1"));
}

/** Where the value that begins at an index ends; undefined if it is not whole. */
function frameEnd(bytes: Buffer, start: number): number | undefined {
  const line = bytes.indexOf("\r\n", start);
  if (line < 0) return undefined;
  const type = String.fromCharCode(bytes[start]!);
  const count = Number(bytes.toString("latin1", start + 1, line));
  let end: number | undefined = line + 2;
  if ("$!=".includes(type)) {
    if (count >= 0) end += count + 2;
    return end <= bytes.length ? end : undefined;
  }
  if (!"*>~%|".includes(type)) return end;
  const values = "%|".includes(type) ? 2 * count : count;
  // An attribute stands before the value that it belongs to.
  for (let i = 0; i < values + (type === "|" ? 1 : 0) && end !== undefined; i += 1)
    end = frameEnd(bytes, end);
  return end;
}
