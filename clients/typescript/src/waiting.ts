/**
 * Longer after each failure, up to ten seconds, and each client another time: not all shall come back at once. At
 * least as many seconds as the server has asked for.
 */
export async function wait(failures: number, atLeast = 0): Promise<void> {
  const longest = Math.min(500 * 2 ** failures, 10_000);
  await new Promise((resolve) => setTimeout(resolve, atLeast * 1_000 + longest * (0.5 + 0.5 * Math.random())));
}
