/** Waits for tests: each has a deadline and says what it waited for. */

/** Long enough for a slow, shared machine; only a test that hangs ever waits so long. */
export const stepMilliseconds = 10_000;

/** The value of `promise`, or an error `no NEWS within N s` when it takes longer. */
export async function within<T>(
  promise: Promise<T>,
  news: string,
  milliseconds = stepMilliseconds,
): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new Error(`no ${news} within ${milliseconds / 1000} s`));
    }, milliseconds);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

const pollMilliseconds = 50;

/** Asks `probe` again and again until it resolves to something other than undefined; an error after the deadline. */
export async function eventually<T>(
  probe: () => T | undefined | Promise<T | undefined>,
  news: string,
  milliseconds = 3 * stepMilliseconds,
): Promise<T> {
  const end = performance.now() + milliseconds;
  for (;;) {
    const found = await within(Promise.resolve(probe()), news, milliseconds);
    if (found !== undefined) return found;
    if (performance.now() > end) throw new Error(`no ${news} within ${milliseconds / 1000} s`);
    await new Promise((resolve) => setTimeout(resolve, pollMilliseconds));
  }
}
