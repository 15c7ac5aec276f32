import type { RunProcess } from "../../chaos/processes.ts";

interface Answer {
  readonly id: number;
  readonly value?: unknown;
  readonly error?: string;
}

type Method = (...args: never[]) => unknown;
/** What a process can be asked. */
export type Api<A> = { readonly [K in keyof A]: Method };

/** The far end of a process that answers calls. */
export class Remote<A extends Api<A>> {
  readonly #process: RunProcess;
  readonly #calls = new Map<number, { resolve: (value: unknown) => void; reject: (error: Error) => void }>();
  #last = 0;

  constructor(process: RunProcess) {
    this.#process = process;
    process.child.on("message", ({ id, value, error }: Answer) => {
      const call = this.#calls.get(id);
      this.#calls.delete(id);
      if (error === undefined) call?.resolve(value);
      else call?.reject(new Error(`${process.name}: ${error}`));
    });
    process.child.once("exit", () => {
      for (const { reject } of this.#calls.values())
        reject(new Error(`${process.name} has ended:\n${process.output}`));
    });
  }

  get pid(): number {
    return this.#process.child.pid!;
  }

  call<K extends keyof A & string>(name: K, ...args: Parameters<A[K]>): Promise<Awaited<ReturnType<A[K]>>> {
    return new Promise((resolve, reject) => {
      if (!this.#process.runs) return reject(new Error(`${this.#process.name} has ended`));
      const id = (this.#last += 1);
      this.#calls.set(id, { resolve: resolve as (value: unknown) => void, reject });
      this.#process.child.send({ id, name, args });
    });
  }
}

/** Answers the calls of the process that started this one, and ends with it. */
export function answerCalls<A extends Api<A>>(api: A): void {
  process.on("message", ({ id, name, args }: { id: number; name: keyof A; args: unknown[] }) => {
    const answer = async (): Promise<Answer> => {
      try {
        return { id, value: await (api[name] as Method)(...(args as never[])) };
      } catch (error) {
        return { id, error: error instanceof Error ? error.message : String(error) };
      }
    };
    void answer().then((message) => process.connected && process.send!(message));
  });
  process.on("disconnect", () => process.exit(0));
}
