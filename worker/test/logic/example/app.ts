import { UserLogic } from "../../../src/index.ts";
import { eq } from "drizzle-orm";
import { drizzle } from "drizzle-orm/durable-sqlite";
import { integer, sqliteTable, text } from "drizzle-orm/sqlite-core";

const wallets = sqliteTable("wallets", {
  id: integer().primaryKey(),
  owner: text().notNull(),
  coins: integer().notNull(),
});

export class Wallets extends UserLogic {
  private readonly db = drizzle(this.storage);

  open(owner: string): number {
    this.sql.exec("INSERT INTO wallets (owner, coins) VALUES (?, 0)", owner);
    return Number(this.sql.exec("SELECT last_insert_rowid() AS id").one()["id"]);
  }

  earn(id: number, coins: number): void {
    this.sql.exec("UPDATE wallets SET coins = coins + ? WHERE id = ?", coins, id);
  }

  pay(from: number, to: number, coins: number): number {
    return this.db.transaction((tx) => {
      const payer = tx.select().from(wallets).where(eq(wallets.id, from)).get();
      if (payer === undefined || payer.coins < coins) throw new RangeError("not enough coins");
      const left = payer.coins - coins;
      tx.update(wallets).set({ coins: left }).where(eq(wallets.id, from)).run();
      this.earn(to, coins);
      return left;
    });
  }
}

// Router and store are told the same.
export const mounted = {
  logic: { Wallets },
  schema: {
    migrations: [
      "CREATE TABLE wallets (id INTEGER PRIMARY KEY, owner TEXT NOT NULL, coins INTEGER NOT NULL)",
      "CREATE INDEX wallets_by_owner ON wallets (owner)",
    ],
  },
};
