package harddb

// indexes makes partial, expression, unique, collated and descending ones.
func (b *builder) indexes() {
	table := b.quote(b.name())
	b.execf("CREATE TABLE %s(a, b TEXT COLLATE NOCASE, c REAL, \"d d\")", table)
	for i := range 40 {
		b.insert(table, integer(int64(i)), b.text(b.anyText()), real(b.anyReal()), b.anyCell())
	}
	for _, on := range []string{"(a DESC, b)", "(b COLLATE BINARY DESC)", "(lower(b), a + 1)", "(a) WHERE c > 0.5", "(\"d d\" COLLATE RTRIM) WHERE \"d d\" IS NOT NULL AND a % 2", "(typeof(c))",
		"(json_extract('{\"a\":' || a || '}', '$.a'))", "(a, a)", "(\"no such column\")"} {
		if b.chance(2) {
			b.exec("CREATE INDEX" + b.noise() + b.quote(b.name()) + b.noise() + "ON" + b.noise() + table + on)
		}
	}
	b.execf("CREATE UNIQUE INDEX IF NOT EXISTS main.%s ON %s(a DESC)", quote(b.name()), table)
}

// triggers would fire, loop or refuse if they were there while rows arrive.
func (b *builder) triggers() {
	log, table, view := b.quote(b.name()), b.quote(b.name()), b.quote(b.name())
	b.execf("CREATE TABLE %s(what)", log)
	b.execf("CREATE TABLE %s(id INTEGER PRIMARY KEY, v)", table)
	b.execf("INSERT INTO %s VALUES(1, 'a'), (2, 'b'), (30, NULL)", table)
	b.execf("CREATE VIEW %s AS SELECT id, v FROM %s", view, table)
	name := func() string { return b.quote(b.name()) }
	b.execf(
		"CREATE TRIGGER %s AFTER INSERT ON %s BEGIN INSERT INTO %s VALUES('fired'); DELETE FROM %s WHERE id = new.id; END",
		name(),
		table,
		log,
		table,
	)
	b.execf(
		"CREATE TRIGGER IF NOT EXISTS main.%s BEFORE INSERT ON %s WHEN new.v = 'no' BEGIN SELECT RAISE(ABORT, 'no; END'); END",
		name(),
		table,
	)
	b.execf(
		"CREATE TRIGGER %s AFTER UPDATE OF v ON %s FOR EACH ROW WHEN new.v < 5\r\nBEGIN\r\n  -- again\r\n  UPDATE %s SET v = new.v + 1 WHERE id = new.id;\r\nEND",
		name(),
		table,
		table,
	)
	b.execf(
		"CREATE TRIGGER %s INSTEAD OF INSERT ON %s BEGIN INSERT INTO %s(v) VALUES(new.v); END",
		name(),
		view,
		table,
	)
	b.execf(
		"CREATE TRIGGER %s INSTEAD OF DELETE ON %s BEGIN SELECT CASE WHEN old.id THEN RAISE(IGNORE) END; END",
		name(),
		view,
	)
	b.execf(
		"CREATE TRIGGER %s AFTER DELETE ON %s BEGIN INSERT INTO %s SELECT old.v WHERE EXISTS (SELECT 1 FROM %s); END",
		table,
		table,
		log,
		view,
	)
}

// views stand in any order, and some of them do not work.
func (b *builder) views() {
	base, later := b.name(), b.name()
	b.execf("CREATE VIEW %s AS SELECT * FROM %s", quote(b.name()), quote(later))
	b.execf("CREATE VIEW %s(\"x y\", z) AS SELECT a, b FROM %s", quote(later), quote(base))
	b.execf("CREATE VIEW IF NOT EXISTS main.%s AS SELECT missing FROM nowhere", quote(b.name()))
	b.execf("CREATE TABLE %s(a, b)", quote(base))
	b.execf("INSERT INTO %s VALUES(1, 2)", quote(base))
	b.execf(
		"CREATE VIEW %s AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10) SELECT i, row_number() OVER (ORDER BY i DESC) FROM n -- end",
		b.quote(b.name()),
	)
	b.execf(
		"CREATE VIEW %s AS SELECT \"not a column\" AS s, 1 UNION SELECT 2, 3 UNION ALL SELECT 4, 5 UNION SELECT 6, 7 EXCEPT SELECT 8, 9",
		b.quote(b.name()),
	)
	b.execf(
		"CREATE VIEW %s AS SELECT * FROM json_each('[1,2]') JOIN pragma_table_info('x')",
		b.quote(b.name()),
	)
}

// statistics are made when everything is there. SQLite here also makes those of sqlite_stat4, which a Durable
// Object has not.
func (b *builder) statistics() {
	b.last = append(b.last, func() {
		b.exec("ANALYZE")
		b.exec("DROP TABLE IF EXISTS sqlite_stat4")
		b.exec("DELETE FROM sqlite_stat1 WHERE rowid % 3 = 1")
		b.exec("INSERT INTO sqlite_stat1 VALUES('no such table', NULL, 'not a number'), (x'00', 2.5, 7)")
	})
}

func (b *builder) comments() {
	b.exec(
		"CREATE TABLE -- a comment\r\n" + b.quote(
			b.name(),
		) + " /* ( */ (\r\n\ta INTEGER -- the first\r\n\t, b TEXT /* with ' and \" */\r\n) -- kept?\r\n",
	)
	b.exec("create\ttable/**/" + b.quote(b.name()) + "(x\r\n,\r\ny/*,z*/)\r\n;\r\n")
	b.exec(
		"CREATE TABLE " + b.quote(
			b.name(),
		) + "(a" + b.noise() + "INTEGER" + b.noise() + "NOT" + b.noise() + "NULL" + b.noise() + "PRIMARY KEY)" + b.noise() + "WITHOUT" + b.noise() + "ROWID" + "",
	)
}
