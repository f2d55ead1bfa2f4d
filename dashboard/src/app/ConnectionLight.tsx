import { light, type Light } from "../live/connection";
import { useApp, useStore } from "./context";

const WORDS: Record<Light, string> = {
  live: "Live",
  "catching-up": "Catching up",
  offline: "Offline",
  paused: "Paused",
};

const MEANING: Record<Light, string> = {
  live: "Changes appear immediately.",
  "catching-up": "Loading recent changes.",
  offline: "Showing the last known state. Updates resume when the connection is back.",
  paused: "Live updates are paused.",
};

/** Shows whether the page is up to date. */
export function ConnectionLight() {
  const now = light(useStore(useApp().connection));
  return (
    <span className="light" role="status" data-light={now} title={MEANING[now]}>
      <span className="lamp" aria-hidden="true" />
      {WORDS[now]}
    </span>
  );
}
