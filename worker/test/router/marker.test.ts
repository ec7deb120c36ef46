import { describe, expect, it } from "vitest";
import { classify } from "../../src/wire/marker.ts";
import { database, fenced, stamped, tombstone } from "./fixtures.ts";

const UNMARKED = { fenced: false, stamp: 0 };
const text = (value: string): Uint8Array => new TextEncoder().encode(value);

describe("classify", () => {
  it.each([
    ["an empty object", new Uint8Array(0), UNMARKED],
    ["a database that was never touched", database("one"), UNMARKED],
    ["a stamped database", stamped(database("one"), 7), { fenced: false, stamp: 7 }],
    [
      "a fenced database",
      fenced(database("one"), 5, 6),
      { fenced: true, lin: 5, non: 6, split: false, kind: "file" },
    ],
    [
      "a database fenced in split mode",
      fenced(database("one"), 5, 6, "DMS1"),
      { fenced: true, lin: 5, non: 6, split: true, kind: "file" },
    ],
    [
      "claims over 2^31",
      fenced(database(), 0xffff_fffe, 0xffff_ffff),
      { fenced: true, lin: 0xffff_fffe, non: 0xffff_ffff, split: false, kind: "file" },
    ],
    [
      "a header and nothing else",
      fenced(database(), 1, 2).slice(0, 100),
      { fenced: true, lin: 1, non: 2, split: false, kind: "file" },
    ],
    ["a tombstone", tombstone(3, 4), { fenced: true, lin: 3, non: 4, split: false, kind: "tombstone" }],
    [
      "a long tombstone",
      tombstone(3, 4, 20_000),
      { fenced: true, lin: 3, non: 4, split: false, kind: "tombstone" },
    ],
    ["other text", text("dbmigrate tombstone 2\n{}\n"), UNMARKED],
  ])("%s", (_name, bytes, expected) => {
    expect(classify(bytes)).toEqual(expected);
  });

  it("reads a view into a larger buffer", () => {
    const file = fenced(database("one"), 5, 6);
    const larger = new Uint8Array(file.byteLength + 10);
    larger.set(file, 10);
    expect(classify(larger.subarray(10))).toEqual({
      fenced: true,
      lin: 5,
      non: 6,
      split: false,
      kind: "file",
    });
  });

  it("takes poison without a mark for damage, not for a fence", () => {
    const poisoned = database("one");
    poisoned[18] = 255;
    expect(classify(poisoned)).toEqual(UNMARKED);
  });

  it.each([
    ["no JSON", "not json\n"],
    ["half of its JSON", '{"lin":1,"non"'],
    ["no lineage", '{"non":1}\n'],
    ["a lineage of 0", '{"lin":0,"non":1}\n'],
    ["a lineage that is no number", '{"lin":"1","non":1}\n'],
    ["JSON null", "null\n"],
  ])("never takes a tombstone with %s for unfenced", (_name, record) => {
    expect(() => classify(text(`dbmigrate tombstone 1\n${record}`))).toThrow("read tombstone");
  });
});
