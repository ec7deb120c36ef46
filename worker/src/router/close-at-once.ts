// Connections that are accepted only to be closed: a browser does not show the status of a refused upgrade.

/** Accepts an upgrade, and closes the connection with a code and a reason that the client can read. */
export function closedWith(
  code: number,
  reason: string,
  message?: object,
  headers: HeadersInit = {},
): Response {
  const { 0: client, 1: server } = new WebSocketPair();
  server.accept();
  if (message !== undefined) server.send(JSON.stringify(message));
  server.close(code, reason.slice(0, 120));
  return new Response(null, { status: 101, webSocket: client, headers });
}

export function isUpgrade(request: Request): boolean {
  return request.headers.get("upgrade")?.toLowerCase() === "websocket";
}
