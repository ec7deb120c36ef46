// Virtual tables: FTS5 with content of its own and elsewhere, R-trees.
import { runInDurableObject } from "cloudflare:test";
import { describe, expect, it } from "vitest";
import { Client, type SentTable, databaseDigest, table } from "./client.ts";
import { batch, jFrame } from "./encode.ts";

const text = (s: string) => ({ text: Buffer.from(s).toString("base64") });

describe("virtual tables", () => {
  const own = table("notes", "CREATE VIRTUAL TABLE notes USING fts5(title, body, tokenize = 'porter')");
  const docs = table("docs", "CREATE TABLE docs (id INTEGER PRIMARY KEY, body TEXT)");
  const external = table(
    "docs_fts",
    "CREATE VIRTUAL TABLE docs_fts USING fts5(body, content='docs', content_rowid='id')",
  );
  const boxes = table("boxes", "CREATE VIRTUAL TABLE boxes USING rtree(id, x0, x1, +label)");
  const objects = [own, docs, external, boxes];
  const tables: Record<string, SentTable> = {
    notes: {
      columns: ["rowid", "title", "body"],
      rows: [
        [5n, "Running", "the runners ran"],
        [2n ** 40n, null, "é\0"],
      ],
    },
    docs: {
      columns: ["id", "body"],
      rows: [
        [1n, "hello world"],
        [2n, "hello there"],
      ],
    },
    boxes: {
      columns: ["id", "x0", "x1", "label"],
      rows: [
        [-3n, 0.5, 1.5, "low"],
        [8n, -2, 7, null],
      ],
    },
  };
  const virtual = [
    { name: "notes", load: "rows", config: [[text("rank"), text("bm25(10.0, 5.0)")]] },
    { name: "docs_fts", load: "rebuild" },
    { name: "boxes", load: "rows" },
  ];

  async function imported(more: object = {}): Promise<Client> {
    const client = new Client();
    await client.claim("migrate");
    expect(await client.schema(objects, more, virtual)).toMatchObject({ status: 200 });
    let seq = 0;
    for (const [name, { columns, rows }] of Object.entries(tables)) {
      expect(await client.rows(seq++, batch(jFrame(name, columns ?? [], rows)))).toMatchObject({
        status: 200,
      });
    }
    expect(await client.finish(seq)).toMatchObject({ json: { done: true } });
    return client;
  }

  it("come across with rows of their own or rebuilt, and can be searched", async () => {
    const client = await imported();
    expect((await client.digest()).json.digest).toMatchObject(databaseDigest(objects, tables));
    expect((await client.ready()).status).toBe(200);
    expect((await client.get("export/schema")).json.schema).toMatchObject({ objects, virtual });
    await client.activate();
    for (const [sql, expected] of [
      ["SELECT rowid FROM notes('run')", [[5]]],
      ["SELECT rowid FROM docs_fts('hello') ORDER BY rowid", [[1], [2]]],
      ["SELECT label FROM boxes WHERE x1 > 5", [[null]]],
      ["SELECT v FROM notes_config WHERE k = 'rank'", [["bm25(10.0, 5.0)"]]],
    ] as const) {
      expect(await client.query(sql)).toMatchObject({ results: [{ rows: expected }] });
    }
  });

  it("leave nothing behind when they are wiped", async () => {
    const client = await imported({ internal: ["sqlite_stat1"] });
    await client.claim("rollback");
    const left = await runInDurableObject(client.stub, (_, state) => [
      ...state.storage.sql.exec("SELECT name FROM sqlite_schema WHERE name NOT LIKE '\\_%' ESCAPE '\\'"),
    ]);
    expect(left).toEqual([]);
    await client.claim("migrate");
    expect(await client.schema(objects, {}, virtual)).toMatchObject({ status: 200 });
  });

  it("that cannot be rebuilt are named", async () => {
    const client = new Client();
    await client.claim("migrate");
    await client.schema([external], {}, [{ name: "docs_fts", load: "rebuild" }]);
    expect(await client.finish(0)).toMatchObject({
      status: 422,
      json: { error: { kind: "schema-refused", details: { object: "docs_fts" } } },
    });
  });
});
