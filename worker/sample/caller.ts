import { bearerToken, whichMatch } from "../src/auth.ts";
import { liveToken } from "../src/live-updates.ts";

/** Whether the request carries the application's own bearer token; nobody does while none is set. */
export function isCaller(request: Request, token: string | undefined): boolean {
  if (token === undefined || token === "") return false;
  return whichMatch(bearerToken(request) ?? liveToken(request) ?? "", [token]).includes(true);
}
