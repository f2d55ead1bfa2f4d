/** Milliseconds that a board may be hidden before it closes its socket: a glance at another tab costs nothing. */
const GRACE = 5_000;

/** Call `show` when the page becomes visible, and `hide` when it has been hidden for a while. */
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

/** Call `work` after the machine has slept, when the page becomes visible, or when the network is back. */
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
