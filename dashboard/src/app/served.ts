/** Whether the server has this page of its own, as it says in a meta element of the others. */
export function isServed(page: "playground" | "reference"): boolean {
  return document.querySelector<HTMLMetaElement>(`meta[name="memberstaff-${page}"]`)?.content === "on";
}
