// The composite requests (docs/wire-format.md, section 11): one request, several steps. Each name here has to
// stand in `compositeNames`. hello announces them; with a Worker that does not know one, a command takes the
// single steps.
import type { CompositeName } from "../../wire/routes.ts";
import { exportUser } from "./export.ts";
import { importUser } from "./import.ts";
import type { Composite, Place } from "./place.ts";
import { returnUser } from "./return.ts";
import { switchUser } from "./switch.ts";

const composites: Readonly<Record<CompositeName, Composite>> = {
  import: importUser,
  switch: switchUser,
  return: returnUser,
  export: exportUser,
};

/** Answers the composite request. @throws WireError with the step that failed in `details.step` */
export async function runComposite(name: CompositeName, request: Request, place: Place): Promise<Response> {
  const answer = await composites[name](request, place);
  const headers = { "cache-control": "no-store" };
  if (!(answer instanceof Uint8Array)) return Response.json(answer, { headers });
  return new Response(answer, { headers: { ...headers, "content-type": "application/octet-stream" } });
}
