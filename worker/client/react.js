// A React hook on live queries. React is yours: an optional peer of this package.
import { useEffect, useState } from "react";

/**
 * @typedef {import("./live.js").Result} Result
 * @typedef {{ columns: Result["columns"], rows: Result["rows"], error: unknown, isLoading: boolean }} LiveResult
 */

/** @type {LiveResult} */
const LOADING = { columns: [], rows: [], error: undefined, isLoading: true };

/**
 * The result of a statement, kept up to date. What another statement had is not shown.
 * @param {import("./live.js").Live} live What `connect` gave: one for the whole page, made outside of components.
 * @param {string} sql
 * @param {unknown[]} [params]
 * @param {{ tables?: string[] }} [options]
 * @returns {LiveResult}
 */
export function useLiveQuery(live, sql, params = [], { tables } = {}) {
  const key = JSON.stringify([sql, params, tables]);
  const [shown, setShown] = useState({ live, key, result: LOADING });
  useEffect(() => {
    const show = (/** @type {(before: LiveResult) => LiveResult} */ next) =>
      setShown((before) => {
        const isSame = before.live === live && before.key === key;
        return { live, key, result: next(isSame ? before.result : LOADING) };
      });
    return live.liveQuery(
      sql,
      params,
      ({ columns, rows }) => show(() => ({ columns, rows, error: undefined, isLoading: false })),
      { ...(tables && { tables }), onError: (error) => show((before) => ({ ...before, error })) },
    );
  }, [live, key]);
  return shown.live === live && shown.key === key ? shown.result : LOADING;
}
