// The previous version's CLI and this Worker (N-1, docs/wire-format.md): what that CLI sent is sent again,
// and every answer has what it needs.
import { describe, expect, it } from "vitest";
import session from "../../../pkg/wire/testdata/previous/session.json";
import versions from "../../../pkg/wire/testdata/previous/versions.json";
import { commonVersion } from "../../src/admin/version.ts";
import { handleAdmin } from "../../src/index.ts";
import { OLDEST_PROTOCOL_VERSION, PROTOCOL_VERSION } from "../../src/wire/limits.ts";
import { bindings } from "../router/fixtures.ts";
import { queryStore } from "../router/store-driver.ts";

interface Message {
  readonly request: { method: string; path: string; type?: string; body?: unknown; base64?: string };
  readonly response: { status: number; body?: unknown; base64?: string };
}

/** Who answers each of these is another one, at another time. */
const others = new Set(["now", "worker", "databaseBytes"]);

const bytes = (base64: string): Uint8Array => Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));

async function ask({ method, path, type, body, base64 }: Message["request"]): Promise<Response> {
  const headers: Record<string, string> = { authorization: "Bearer token-of-the-operator-now" };
  if (type !== undefined && type !== "") headers["content-type"] = type;
  const sent = base64 === undefined ? body && JSON.stringify(body) : bytes(base64);
  const init = sent === undefined ? { method, headers } : { method, headers, body: sent as string };
  const answer = await handleAdmin(new Request(`https://worker.test${path}`, init), {
    env: { DBMIGRATE_TOKEN: "token-of-the-operator-now" },
    store: bindings.USER_DATA,
    bucket: bindings.BUCKET,
  });
  if (answer === null) throw new Error(`${path} is not an admin route any more`);
  return answer;
}

/** All that was there is there, and means the same; more may have come. */
function expectPart(where: string, was: unknown, now: unknown): void {
  if (Array.isArray(was)) {
    expect(now, where).toHaveLength(was.length);
    was.forEach((part, i) => expectPart(`${where}[${i}]`, part, (now as unknown[])[i]));
  } else if (typeof was === "object" && was !== null) {
    for (const [name, part] of Object.entries(was)) {
      const there = (now as Record<string, unknown> | null)?.[name];
      if (others.has(name)) expect(typeof there, `${where}.${name}`).toBe(typeof part);
      else expectPart(`${where}.${name}`, part, there);
    }
  } else expect(now, where).toEqual(was);
}

async function replay({ request, response }: Message): Promise<void> {
  const answer = await ask(request);
  const where = `${request.method} ${request.path}`;
  if (request.path.endsWith("/mark")) {
    // It is about a file that is not here: this says that the message is understood.
    expect([answer.status, await answer.json()], where).toMatchObject([
      412,
      { error: { kind: "file-changed" } },
    ]);
    return;
  }
  expect(answer.status, where).toBe(response.status);
  if (response.base64 === undefined) return expectPart(where, response.body, await answer.json());
  expect(new Uint8Array(await answer.arrayBuffer()), where).toEqual(bytes(response.base64));
}

describe("the previous version's CLI", () => {
  it("is answered as by its own Worker", async () => {
    let written = 0;
    for (const { command, messages } of session as { command: string; messages: Message[] }[]) {
      for (const message of messages) await replay(message);
      // The application's write, where the object takes it.
      written++;
      if (command === "migrate" || command === "verify")
        expect(await queryStore("alice", `INSERT INTO entries(n) VALUES (${written})`)).toMatchObject({
          ok: true,
        });
    }
  });
});

describe("versions", () => {
  it("are those that the CLI speaks, and N-1", () => {
    expect({ protocol: PROTOCOL_VERSION, oldest: OLDEST_PROTOCOL_VERSION }).toEqual(versions);
    expect(OLDEST_PROTOCOL_VERSION).toBeGreaterThanOrEqual(PROTOCOL_VERSION - 1);
  });

  it.each([
    ["an older CLI, without the header", null, 2, 1, 1],
    ["an older CLI", "1", 2, 1, 1],
    ["the same", "2", 2, 1, 2],
    ["a newer CLI", "3", 2, 1, 2],
  ])("%s gets the newest that both speak", (_, asked, newest, oldest, common) => {
    expect(commonVersion(asked, newest, oldest)).toBe(common);
  });

  it.each([
    ["a CLI that is two versions older", "1", 3, 2, "protocol-version"],
    ["no number", "one", 1, 1, "bad-request"],
  ])("%s is refused", (_, asked, newest, oldest, kind) => {
    expect(() => commonVersion(asked, newest, oldest)).toThrow(expect.objectContaining({ kind }));
  });
});
