/** A way to send lines to a log, to be pasted into a shell as it stands. */
export interface Snippet {
  readonly name: string;
  readonly about: string;
  readonly code: string;
}

/** Makes the ways to send lines to the log `stream:<id>` of the hub at `origin`. */
export function snippetsFor(origin: string, id: string): readonly Snippet[] {
  const live = `${origin}/live/${encodeURIComponent(id)}`;
  return [
    {
      name: "roomcast run",
      about:
        "Both outputs of a program, and how it ends, from roomcast's folder or a project that has it installed. Put your own command after the two dashes.",
      code: `ROOMCAST_URL=${origin} \\\n  npx roomcast run --room 'stream:${id}' -- ls -l`,
    },
    {
      name: "curl",
      about: "One line, from any shell or job.",
      code: `curl --data-urlencode 'message=hello from curl' --data program=curl \\\n  '${live}'`,
    },
    {
      name: "Node",
      about: "Every line of a program. Put your own command in place of ls -l.",
      code: `ls -l | node --input-type=module -e 'import { createInterface } from "node:readline";
for await (const message of createInterface({ input: process.stdin })) {
  const body = new URLSearchParams({ message, program: "node" });
  await fetch("${live}", { method: "POST", body });
}'`,
    },
    {
      name: "Python",
      about: "Every line of a program, with nothing but the standard library.",
      code: `ls -l | python3 -c '
import sys
from urllib.parse import urlencode
from urllib.request import urlopen
for line in sys.stdin:
    entry = {"message": line.rstrip("\\n"), "program": "python"}
    urlopen("${live}", urlencode(entry).encode())
'`,
    },
  ];
}
