// SqlStorage for a subclass's own transaction, that notes which tables its statements write.
import { isSignificant, tokenize } from "../query/tokens.ts";
import type { Binding } from "../state/sql-text.ts";

/** Is told of statements before they run. */
interface Notes {
  note(text: string, bindings: readonly Binding[]): void;
  noteEverything(): void;
}

/** The same storage; what is executed through it is noted by table. */
export function watchExec(sql: SqlStorage, recorder: Notes): SqlStorage {
  return new Proxy(sql, {
    get(target, property) {
      if (property !== "exec") return bound(target, property);
      return (query: string, ...bindings: (string | number | ArrayBuffer | null)[]) => {
        if (isOneStatement(query)) recorder.note(query, bindings);
        else recorder.noteEverything();
        return target.exec(query, ...bindings);
      };
    },
  });
}

// Methods of the platform's objects do not work on a proxy.
function bound(target: SqlStorage, property: string | symbol): unknown {
  const value: unknown = Reflect.get(target, property, target);
  return typeof value === "function" ? value.bind(target) : value;
}

function isOneStatement(query: string): boolean {
  const tokens = tokenize(query).filter(isSignificant);
  const end = tokens.findIndex(({ type }) => type === "semicolon");
  return end < 0 || tokens.slice(end).every(({ type }) => type === "semicolon");
}
