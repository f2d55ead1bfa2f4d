import { useStore } from "../app/context";
import { Store } from "../app/store";

export interface Toast {
  id: number;
  text: string;
  kind: "info" | "error";
  action?: { label: string; run: () => void };
}

const SHOWN = 7_000;
/** What is shown now, oldest first. */
export const toasts = new Store<readonly Toast[]>([]);
let ids = 0;

/** Show a toast. A message replaces older messages; errors stack. */
export function say(text: string, action?: Toast["action"]): void {
  show({ id: ++ids, text, kind: "info", ...(action && { action }) });
}

export function complain(text: string, action?: Toast["action"]): void {
  show({ id: ++ids, text, kind: "error", ...(action && { action }) });
}

function show(toast: Toast): void {
  const others = toasts.get().filter(({ kind }) => kind === "error" || toast.kind === "error");
  toasts.set([...others.slice(-2), toast]);
  setTimeout(() => dismiss(toast.id), SHOWN * (toast.kind === "error" ? 2 : 1));
}

function dismiss(id: number): void {
  toasts.set(toasts.get().filter((toast) => toast.id !== id));
}

export function Toasts() {
  const shown = useStore(toasts);
  return (
    <div className="toasts">
      {(["info", "error"] as const).map((kind) => (
        <div key={kind} role={kind === "error" ? "alert" : "status"}>
          {shown
            .filter((toast) => toast.kind === kind)
            .map((toast) => (
              <div key={toast.id} className={`toast ${kind}`}>
                <span>{toast.text}</span>
                {toast.action && (
                  <button
                    type="button"
                    className="button"
                    onClick={() => {
                      dismiss(toast.id);
                      toast.action?.run();
                    }}
                  >
                    {toast.action.label}
                  </button>
                )}
                <button type="button" className="button" onClick={() => dismiss(toast.id)}>
                  Dismiss
                </button>
              </div>
            ))}
        </div>
      ))}
    </div>
  );
}
