import { type ReactNode, useEffect, useId, useRef } from "react";

import { Icon } from "./Icon";

interface Props {
  title: string;
  onClose: () => void;
  /** A panel is at the side, at full height. */
  kind?: "panel" | "wide";
  /** The element with `data-focus` is focused first, or else the close button. */
  children: ReactNode;
}

/** A modal <dialog>: it traps the focus, and restores it when closed. */
export function Dialog({ title, onClose, kind, children }: Props) {
  const element = useRef<HTMLDialogElement>(null);
  const heading = useId();
  useEffect(() => {
    const dialog = element.current;
    const before = document.activeElement;
    dialog?.showModal();
    dialog?.querySelector<HTMLElement>("[data-focus]")?.focus();
    return () => {
      dialog?.close();
      if (before instanceof HTMLElement && before.isConnected) before.focus({ preventScroll: true });
    };
  }, []);
  return (
    <dialog
      ref={element}
      className={`dialog ${kind ?? ""}`}
      aria-labelledby={heading}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
      onPointerDown={(event) => {
        if (event.target === element.current) onClose();
      }}
      onKeyDown={(event) => event.stopPropagation()}
    >
      <div className="inside">
        <div className="head">
          <h2 id={heading}>{title}</h2>
          <button type="button" className="button quiet icon" aria-label="Close" onClick={onClose}>
            <Icon name="cross" />
          </button>
        </div>
        {children}
      </div>
    </dialog>
  );
}
