/** Why a data folder can't be used: another process has it, it is of a newer version, damaged, or not to be reached. */
export type DataFolderProblem = "in_use" | "newer" | "damaged" | "unreachable";

/** Is thrown at the start by a hub that can't use its data folder; the message names the folder. */
export class DataFolderError extends Error {
  override readonly name = "DataFolderError";
  readonly problem: DataFolderProblem;
  readonly folder: string;
  /** The process that has the folder, if that is the problem and it has told. */
  readonly pid: number | undefined;

  constructor(
    problem: DataFolderProblem,
    folder: string,
    message: string,
    options: { pid?: number; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.problem = problem;
    this.folder = folder;
    this.pid = options.pid;
  }
}
