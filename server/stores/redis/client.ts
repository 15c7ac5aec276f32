export type Argument = string | Buffer;

/** What is used of the package's client; its own type depends on each of its options. */
export interface Client {
  readonly isOpen: boolean;
  readonly isReady: boolean;
  connect(): Promise<unknown>;
  /** A timeout of 0 is none. */
  sendCommand(
    args: readonly Argument[],
    options?: { readonly timeout: number; readonly abortSignal?: AbortSignal },
  ): Promise<unknown>;
  sSubscribe(
    channel: string,
    listener: (message: Buffer, channel: Buffer) => void,
    asBuffers: true,
  ): Promise<void>;
  subscribe(
    channel: string,
    listener: (message: Buffer, channel: Buffer) => void,
    asBuffers: true,
  ): Promise<void>;
  pSubscribe(
    pattern: string,
    listener: (message: Buffer, channel: Buffer) => void,
    asBuffers: true,
  ): Promise<void>;
  sUnsubscribe(channel: string): Promise<void>;
  on(event: "error" | "ready" | "terminated", listener: (error: unknown) => void): unknown;
  on(event: "sharded-channel-moved", listener: (channel: string) => void): unknown;
  ref(): void;
  unref(): void;
  close(): Promise<void>;
  destroy(): void;
}
