import { light, type Light } from "../live/connection";
import { useApp, useStore } from "./context";

const WORDS: Record<Light, string> = {
  live: "Live",
  "catching-up": "Catching up",
  offline: "Offline",
  paused: "Paused",
};

const MEANING: Record<Light, string> = {
  live: "Every change is shown at once.",
  "catching-up": "Reading what has changed meanwhile.",
  offline: "This is the last known state. It goes on by itself when the connection is back.",
  paused: "Nothing is followed on this page.",
};

/** Whether what is shown is the present state. */
export function ConnectionLight() {
  const now = light(useStore(useApp().connection));
  return (
    <span className="light" role="status" data-light={now} title={MEANING[now]}>
      <span className="lamp" aria-hidden="true" />
      {WORDS[now]}
    </span>
  );
}
