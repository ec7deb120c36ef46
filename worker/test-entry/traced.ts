// What Durable Objects of this process have run: GET /test/traced of the Workers that call `trace`. Tests
// make users' names of it.

const statements = new Set<string>();
let tracing = false;

/** Remembers every statement from now on. The methods are those of all objects, so once is enough. */
export function trace(sql: SqlStorage): void {
  if (tracing) return;
  tracing = true;
  const methods = Object.getPrototypeOf(sql) as SqlStorage;
  const exec = methods.exec;
  methods.exec = function (this: SqlStorage, query: string, ...bindings: unknown[]) {
    statements.add(query);
    return exec.call(this, query, ...bindings);
  } as SqlStorage["exec"];
}

/** The answer to /test/traced. */
export function traced(): Response {
  return Response.json([...statements]);
}
