import { buildSchema } from "graphql";
import { renderToStaticMarkup } from "react-dom/server";

import { Reference } from "./Reference";

/** The body of the page for a schema in SDL: static, without a script. */
export function render(sdl: string): string {
  return renderToStaticMarkup(<Reference schema={buildSchema(sdl)} />);
}
