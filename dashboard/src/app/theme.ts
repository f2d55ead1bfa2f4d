import { Store } from "./store";

export type Theme = "system" | "light" | "dark";

const KEY = "memberstaff-theme";

/** The chosen theme; the style sheet reads it from the root element. */
export const theme = new Store<Theme>(stored());
apply(theme.get());
theme.subscribe(() => apply(theme.get()));

export function nextTheme(): void {
  const order: Theme[] = ["system", "light", "dark"];
  theme.set(order[(order.indexOf(theme.get()) + 1) % order.length] ?? "system");
}

function stored(): Theme {
  const value = localStorage.getItem(KEY);
  return value === "light" || value === "dark" ? value : "system";
}

function apply(value: Theme): void {
  document.documentElement.dataset.theme = value;
  if (value === "system") localStorage.removeItem(KEY);
  else localStorage.setItem(KEY, value);
}
