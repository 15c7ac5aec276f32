/** Runs a task soon, many askings at once; the function that it gives back takes it back. */
export type Schedule = (task: () => void) => () => void;

/** A page that nobody looks at gets no frames, and must not let its arrivals pile up. */
const HIDDEN_MS = 500;

/** Runs a task with the next frame, or a little later where there are no frames. */
export const nextFrame: Schedule = (task) => {
  const cancel = (): void => {
    cancelAnimationFrame(frame);
    clearTimeout(timer);
  };
  const run = (): void => {
    cancel();
    task();
  };
  const frame = requestAnimationFrame(run);
  const timer = setTimeout(run, HIDDEN_MS);
  return cancel;
};
