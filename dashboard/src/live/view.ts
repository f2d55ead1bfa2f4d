/** How long a board may be out of view before it closes its socket: a glance at another tab costs nothing. */
const GRACE = 5_000;

/** Call `show` when the page comes into view and `hide` when it has been out of it for a while. */
export function whileInView(show: () => void, hide: () => void): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const change = () => {
    clearTimeout(timer);
    if (document.visibilityState === "visible") show();
    else timer = setTimeout(hide, GRACE);
  };
  document.addEventListener("visibilitychange", change);
  if (document.visibilityState === "visible") show();
  return () => {
    clearTimeout(timer);
    document.removeEventListener("visibilitychange", change);
  };
}

/** Call `work` when the machine has slept, the page comes back into view, or the network is back. */
export function onWake(work: () => void): () => void {
  const TICK = 5_000;
  let last = Date.now();
  const timer = setInterval(() => {
    const now = Date.now();
    if (now - last > 3 * TICK) work();
    last = now;
  }, TICK);
  const visible = () => {
    if (document.visibilityState === "visible") work();
  };
  document.addEventListener("visibilitychange", visible);
  window.addEventListener("online", work);
  return () => {
    clearInterval(timer);
    document.removeEventListener("visibilitychange", visible);
    window.removeEventListener("online", work);
  };
}
