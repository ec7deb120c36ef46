// Upgrades to a WebSocket, and what a browser expects of them: it ends a connection with an answer that takes
// up none of the subprotocols that it offered, and shows no status of an upgrade that was refused.

const BEARER = "bearer.";

export function isUpgrade(request: Request): boolean {
  return request.headers.get("upgrade")?.toLowerCase() === "websocket";
}

/** Hands over the client's end of a connection. */
export function upgraded(webSocket: WebSocket, request: Request): Response {
  const taken = offered(request).find((name) => !name.startsWith(BEARER));
  const headers: HeadersInit = taken === undefined ? {} : { "sec-websocket-protocol": taken };
  return new Response(null, { status: 101, webSocket, headers });
}

/** Accepts an upgrade, and closes the connection with a code and a reason that the client can read. */
export function closedWith(code: number, reason: string, request: Request, message?: object): Response {
  const { 0: client, 1: server } = new WebSocketPair();
  server.accept();
  if (message !== undefined) server.send(JSON.stringify(message));
  server.close(code, reason.slice(0, 120));
  return upgraded(client, request);
}

/**
 * The token that a client offers as a subprotocol, as `bearer.` and the token, or undefined. A browser's
 * WebSocket has no header to put one into, and in the URL it would lie in logs.
 */
export function liveToken(request: Request): string | undefined {
  const token = offered(request).find((name) => name.startsWith(BEARER));
  return token?.slice(BEARER.length);
}

function offered(request: Request): string[] {
  const names = request.headers.get("sec-websocket-protocol") ?? "";
  return names
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "");
}
