/** Does something with each item, with so many at a time; rejects with the first failure. */
export async function eachAtOnce<T>(
  most: number,
  items: readonly T[],
  act: (item: T) => Promise<unknown>,
): Promise<void> {
  const left = items.values();
  const work = async (): Promise<void> => {
    for (const item of left) await act(item);
  };
  await Promise.all(Array.from({ length: Math.min(most, items.length) }, work));
}
