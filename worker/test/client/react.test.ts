// The hook in React itself, with a page that has the little that React needs.
import { act, createElement } from "react";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { Live, Result } from "../../client/live.js";
import { useLiveQuery } from "../../client/react.js";

const page = globalThis as unknown as Record<string, unknown>;
beforeAll(() =>
  Object.assign(page, { window: globalThis, HTMLIFrameElement: Date, IS_REACT_ACT_ENVIRONMENT: true }),
);
afterAll(() => {
  delete page["window"];
  delete page["HTMLIFrameElement"];
  delete page["IS_REACT_ACT_ENVIRONMENT"];
});

/** Nobody clicks here, so that React may listen in vain. */
const deaf = { addEventListener() {}, removeEventListener() {} };
const container = {
  ...deaf,
  nodeType: 1,
  nodeName: "DIV",
  tagName: "DIV",
  namespaceURI: "http://www.w3.org/1999/xhtml",
  textContent: "",
  ownerDocument: { ...deaf, nodeType: 9, activeElement: null, body: null },
};

it("shows the present statement's result, its errors, and stops", async () => {
  const running = new Map<string, { show: (result: Result) => unknown; fail: (error: unknown) => void }>();
  const live: Live = {
    liveQuery(sql, params, show, options) {
      const name = JSON.stringify([sql, params]);
      running.set(name, { show, fail: options?.onError ?? (() => undefined) });
      return () => void running.delete(name);
    },
    refresh() {},
    close() {},
  };
  const shown: unknown[] = [];
  const View = ({ id }: { id: number }) => {
    const { rows, error, isLoading } = useLiveQuery(live, "SELECT ?", [id]);
    shown.push({ id, rows, error, isLoading });
    return null;
  };
  const { createRoot } = await import("react-dom/client");
  const root = createRoot(container as never);
  const draw = (id: number) => act(async () => root.render(createElement(View, { id })));
  const query = (id: number) => running.get(JSON.stringify(["SELECT ?", [id]]));

  await draw(1);
  expect(shown.at(-1)).toEqual({ id: 1, rows: [], error: undefined, isLoading: true });
  await act(async () => query(1)?.show({ columns: ["a"], rows: [[1]] }));
  expect(shown.at(-1)).toEqual({ id: 1, rows: [[1]], error: undefined, isLoading: false });
  await act(async () => query(1)?.fail("offline"));
  expect(shown.at(-1)).toEqual({ id: 1, rows: [[1]], error: "offline", isLoading: false });
  await draw(2);
  expect([...running.keys()]).toEqual(['["SELECT ?",[2]]']);
  expect(shown.at(-1)).toEqual({ id: 2, rows: [], error: undefined, isLoading: true });
  await act(async () => query(2)?.show({ columns: ["a"], rows: [[2]] }));
  expect(shown.at(-1)).toEqual({ id: 2, rows: [[2]], error: undefined, isLoading: false });
  await act(async () => root.unmount());
  expect(running.size).toBe(0);
});
