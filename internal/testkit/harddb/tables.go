package harddb

import (
	"fmt"
	"math"
	"strings"
)

var declaredTypes = []string{
	"",
	"INTEGER",
	"INT",
	"BIGINT",
	"TEXT",
	"VARCHAR(10)",
	"CLOB",
	"BLOB",
	"REAL",
	"DOUBLE PRECISION",
	"FLOAT",
	"NUMERIC",
	"DECIMAL(10,5)",
	"BOOLEAN",
	"DATETIME",
	"STRING",
	"ANY",
	"CHARINT",
	"unsigned big int",
	"\"odd type\"",
}

func (b *builder) anyTypes() {
	columns := b.columns(1 + b.random.IntN(12))
	parts := make([]string, len(columns))
	for i, name := range columns {
		parts[i] = b.quote(name) + " " + pick(b, declaredTypes)
		if b.chance(5) {
			parts[i] += b.noise() + "COLLATE" + b.noise() + pick(b, []string{"NOCASE", "RTRIM", "binary"})
		}
	}
	table := b.quote(b.name())
	b.exec(
		"CREATE TABLE" + b.noise() + table + b.noise() + "(" + strings.Join(
			parts,
			","+b.noise(),
		) + b.noise() + ")",
	)
	for range b.random.IntN(60) {
		row := make([]cell, len(columns))
		for i := range row {
			row[i] = b.anyCell()
		}
		b.insert(table, row...)
	}
}

func (b *builder) integers() {
	table := b.quote(b.name())
	b.exec(
		"CREATE TABLE " + table + "(id INTEGER PRIMARY KEY, n, i INTEGER, r REAL, t TEXT, d NUMERIC, b BLOB)",
	)
	for _, edge := range edgeInts {
		b.insert(
			table,
			integer(edge),
			integer(edge),
			integer(edge),
			integer(edge),
			integer(edge),
			integer(edge),
			integer(edge),
		)
	}
	for i := range 50 {
		n := b.anyInt()
		b.insert(
			table,
			integer(int64(i+1000)),
			integer(n),
			integer(n),
			integer(n),
			integer(n),
			integer(n),
			integer(n),
		)
	}
}

func (b *builder) reals() {
	table := b.quote(b.name())
	b.exec("CREATE TABLE " + table + "(v, r REAL, n NUMERIC, i INTEGER, t TEXT, b BLOB)")
	add := func(x float64) { b.insert(table, real(x), real(x), real(x), real(x), real(x), real(x)) }
	for _, x := range edgeReals {
		add(x)
	}
	for range 300 {
		add(b.anyReal())
	}
}

func (b *builder) textsAndBlobs() {
	table := b.quote(b.name())
	b.exec("CREATE TABLE " + table + "(v, t TEXT, n NUMERIC, b BLOB)")
	texts := edgeTexts
	if b.encoding == utf8Name {
		texts = append(append([]string(nil), edgeTexts...), invalidTexts...)
	}
	for _, s := range texts {
		b.insert(table, b.text(s), b.text(s), b.text(s), b.text(s))
		b.insert(table, blob([]byte(s)), blob([]byte(s)), blob([]byte(s)), blob([]byte(s)))
	}
	b.insert(table, null, b.text(""), blob(nil), null)
}

func (b *builder) strict() {
	table := b.quote(b.name())
	b.exec(
		"CREATE TABLE " + table + "(i INT, j INTEGER, r REAL, t TEXT, b BLOB, a ANY, n ANY NOT NULL) STRICT",
	)
	for range 40 {
		b.insert(
			table,
			integer(b.anyInt()),
			integer(b.anyInt()),
			real(b.anyReal()),
			b.text(b.anyText()),
			blob(b.anyBlob()),
			b.anyCell(),
			pick(b, []cell{integer(5), real(5), b.text("5"), blob([]byte("5"))}),
		)
	}
	b.insert(table, null, null, null, null, null, null, integer(0))
	keyed := b.quote(b.name())
	b.exec("CREATE TABLE " + keyed + "(a ANY, b TEXT, PRIMARY KEY(a DESC, b)) STRICT, WITHOUT ROWID")
	for i, c := range []cell{integer(5), b.text("5"), blob([]byte("5")), real(5.5), b.text("")} {
		b.insert(keyed, c, b.text(fmt.Sprint(i)))
	}
}

func (b *builder) rowids() {
	table := b.quote(b.name())
	b.exec("CREATE TABLE " + table + "(x, y TEXT)")
	ids := []int64{
		math.MinInt64,
		math.MinInt64 + 1,
		-1,
		0,
		1,
		7,
		1 << 53,
		1<<53 + 1,
		math.MaxInt64 - 1,
		math.MaxInt64,
	}
	for i := range 300 {
		ids = append(ids, int64(i)*7-1000)
	}
	for _, id := range ids {
		b.exec("INSERT OR IGNORE INTO "+table+"(rowid, x, y) VALUES(?, ?, 'v')", id, id)
	}
	b.exec("DELETE FROM " + table + " WHERE x % 3 = 1")
	keyed := b.quote(b.name())
	b.exec("CREATE TABLE " + keyed + "(x, id INTEGER PRIMARY KEY, y)")
	for _, id := range ids[:20] {
		b.exec("INSERT INTO "+keyed+" VALUES(1, ?, 2)", id)
	}
}

func (b *builder) rowidColumns() {
	taken := b.random.Perm(3)[:1+b.random.IntN(2)]
	var columns []string
	for _, i := range taken {
		columns = append(
			columns,
			pick(
				b,
				[]string{strings.ToUpper(rowidNames[i]), quote(rowidNames[i]), rowidNames[i]},
			)+" "+pick(
				b,
				[]string{"", "TEXT", "INTEGER"},
			),
		)
	}
	table := b.quote(b.name())
	b.exec("CREATE TABLE " + table + "(" + strings.Join(columns, ", ") + ", z)")
	alias := b.quote(b.name())
	b.exec("CREATE TABLE " + alias + "(rowid TEXT, oid INTEGER PRIMARY KEY, _rowid_)")
	keyed := b.quote(b.name())
	b.exec("CREATE TABLE " + keyed + "(rowid, oid, _rowid_, PRIMARY KEY(_rowid_ DESC, rowid)) WITHOUT ROWID")
	for i := range 30 {
		row := make([]cell, len(columns)+1)
		for j := range row {
			row[j] = integer(int64(1000*j - i*i))
		}
		b.insert(table, row...)
		b.insert(alias, b.text("x"), integer(int64(i*i-100)), b.anyCell())
		b.insert(keyed, integer(int64(i)), b.anyCell(), b.text(fmt.Sprint(i%7)))
	}
	b.exec("DELETE FROM " + table + " WHERE z % 4 = 1")
}

func (b *builder) withoutRowid() {
	table := b.quote(b.name())
	b.exec(
		"CREATE TABLE " + table + `(a TEXT COLLATE NOCASE, v, b INTEGER, c, "d d" REAL, PRIMARY KEY(b DESC, a, c COLLATE RTRIM DESC, "d d")) WITHOUT ROWID`,
	)
	for _, a := range []string{"a", "B", "c", "a b", "\U0001F981", "\uffee", "", "zz "} {
		for range 12 {
			b.exec(
				"INSERT OR IGNORE INTO "+table+" VALUES("+b.text(
					a,
				).sql+", 1, ?, "+pick(
					b,
					[]string{"1", "1.5", "'x'", "'y  '", "'Y'", "x'7a'", "-0.0", "9e999"},
				)+", ?)",
				b.anyInt(),
				pick(b, edgeReals),
			)
		}
	}
	repeated := b.quote(b.name())
	b.exec("CREATE TABLE " + repeated + "(x, y, z, PRIMARY KEY(z, x, z)) WITHOUT ROWID")
	b.exec("INSERT INTO " + repeated + " VALUES(1, 2, 3), (2, 2, 3), (1, NULL, -3)")
	folded := b.quote(b.name())
	b.exec("CREATE TABLE " + folded + "(v, a TEXT, PRIMARY KEY(a COLLATE NOCASE, a COLLATE BINARY DESC)) WITHOUT ROWID")
	b.exec("INSERT INTO " + folded + " VALUES(1, 'A'), (2, 'a'), (3, 'b'), (4, 'B'), (5, 'aB'), (6, 'Ab')")
}

func (b *builder) smallKeys() {
	for _, declared := range []string{"TEXT", "BLOB", "REAL", "INT", "", "TEXT COLLATE RTRIM", "NUMERIC"} {
		table := b.quote(b.name())
		b.exec(
			"CREATE TABLE " + table + "(k " + declared + " PRIMARY KEY" + pick(
				b,
				[]string{"", " DESC"},
			) + ", v) WITHOUT ROWID",
		)
		for range 40 {
			c := b.anyCell()
			if c.sql == "?" {
				b.exec("INSERT OR IGNORE INTO "+table+" VALUES(?, 1)", c.arg)
			} else {
				b.exec("INSERT OR IGNORE INTO " + table + " VALUES(" + c.sql + ", 1)")
			}
		}
	}
}

func (b *builder) oddPrimaryKeys() {
	for _, body := range []string{"id INTEGER PRIMARY KEY DESC, v", "id INT PRIMARY KEY, v", "id INTEGER, v, PRIMARY KEY(id)", "id INTEGER, v, PRIMARY KEY(id DESC)", "id, v, PRIMARY KEY(v, id)",
		"id UNIQUE, v UNIQUE, UNIQUE(id, v)", "id INTEGER CONSTRAINT pk PRIMARY KEY ON CONFLICT REPLACE, v UNIQUE ON CONFLICT IGNORE", "id \"INTEGER\" PRIMARY KEY, v"} {
		table := b.quote(b.name())
		b.exec("CREATE TABLE " + table + "(" + body + ")")
		b.exec("INSERT INTO " + table + " VALUES(5, 'x'), (2, 'y'), (-3, 'z')")
		if strings.Contains(body, "id INT PRIMARY") || strings.Contains(body, "UNIQUE(") {
			b.exec("INSERT INTO " + table + " VALUES(NULL, NULL), (NULL, 'w')")
		}
	}
}

func (b *builder) autoincrement() {
	beyond, emptied, missing := b.quote(b.name()), b.name(), b.name()
	b.exec("CREATE TABLE " + beyond + "(id INTEGER PRIMARY KEY AUTOINCREMENT, v)")
	b.exec("INSERT INTO " + beyond + " VALUES(3, 'a'), (-4, 'b'), (17, 'c')")
	b.exec("UPDATE sqlite_sequence SET seq = ?", pick(b, []int64{18, 1 << 40, math.MaxInt64, 5, -1}))
	b.exec("CREATE TABLE " + quote(emptied) + "(id INTEGER PRIMARY KEY AUTOINCREMENT)")
	b.exec("INSERT INTO " + quote(emptied) + " VALUES(9)")
	b.exec("DELETE FROM " + quote(emptied))
	b.exec("CREATE TABLE " + quote(missing) + "(id INTEGER PRIMARY KEY AUTOINCREMENT, v)")
	b.exec("INSERT INTO " + quote(missing) + "(v) VALUES(1), (2)")
	b.exec("DELETE FROM sqlite_sequence WHERE name = ?", missing)
	if b.chance(2) {
		b.exec(
			"INSERT INTO sqlite_sequence(rowid, name, seq) VALUES(?, 'no such table', 'text'), (?, NULL, 2.5)",
			1000+b.random.Int64N(1<<40),
			-b.random.Int64N(1<<40),
		)
	}
}

// leftoverSequence leaves sqlite_sequence behind its tables.
func (b *builder) leftoverSequence() {
	b.exec("CREATE TABLE dropped_soon(id INTEGER PRIMARY KEY AUTOINCREMENT)")
	b.exec("INSERT INTO dropped_soon VALUES(5)")
	b.exec("DROP TABLE dropped_soon")
	if b.chance(2) {
		b.exec("INSERT INTO sqlite_sequence VALUES('gone', 4)")
	}
}

// stored is how a column is kept that is computed: a STORED one in UTF-16 is refused.
func (b *builder) stored() string {
	if b.encoding == utf8Name {
		return "STORED"
	}
	return "VIRTUAL"
}

func (b *builder) generated() {
	table := b.quote(b.name())
	b.exec(strings.ReplaceAll("CREATE TABLE "+table+
		`(s AS (a * 2) STORED, a INTEGER, v AS (a + 1), t TEXT GENERATED ALWAYS AS (hex(a) || "b") STORED, "b" DEFAULT 'x', r REAL AS (a) STORED, w INT AS (v * 2) VIRTUAL)`,
		"STORED", b.stored()))
	for range 20 {
		b.exec("INSERT INTO "+table+"(a, \"b\") VALUES(?, ?)", b.anyInt()>>3, b.random.IntN(9))
	}
	b.exec("INSERT INTO " + table + "(a) VALUES(NULL)")
	keyed := b.quote(b.name())
	b.exec("CREATE TABLE " + keyed + "(a, k AS (a || 'k') " + b.stored() + ", PRIMARY KEY(a)) WITHOUT ROWID")
	b.exec("INSERT INTO " + keyed + "(a) VALUES(1), ('x'), (2.5)")
	b.execf("CREATE INDEX %s ON %s(v, s)", quote(b.name()), table)
	unique := b.quote(b.name())
	b.execf("CREATE TABLE %s(a, k AS (lower(a) || hex(a)) UNIQUE%s, n AS (hex(a)) NOT NULL%s)",
		unique, pick(b, conflictClauses), pick(b, conflictClauses))
	b.execf("INSERT INTO %s(a) VALUES('abX'), ('acX'), ('ABX'), (1), (x'6162')", unique)
}

// conflictClauses are what may stand behind a constraint. A copy must not obey them: a row would be gone.
var conflictClauses = []string{"", " ON CONFLICT REPLACE", " ON CONFLICT IGNORE", " ON CONFLICT FAIL"}

func (b *builder) checksViolated() {
	table := b.quote(b.name())
	b.exec(
		"CREATE TABLE " + table + `(a CHECK (a > 0), b TEXT CONSTRAINT "short one" CHECK (length(b) < 4), c CHECK (typeof(c) = "text"), CHECK (a <> b))`,
	)
	b.exec("PRAGMA ignore_check_constraints = ON")
	for range 20 {
		b.insert(table, b.anyCell(), b.text(b.anyText()), b.anyCell())
	}
	b.exec("PRAGMA ignore_check_constraints = OFF")
}

func (b *builder) foreignKeys() {
	parent, child, self, one, two := b.quote(
		b.name(),
	), b.quote(
		b.name(),
	), b.quote(
		b.name(),
	), b.quote(
		b.name(),
	), b.quote(
		b.name(),
	)
	b.execf(
		"CREATE TABLE %s(p INTEGER NOT NULL REFERENCES %s(id) ON DELETE CASCADE, q REFERENCES %s DEFERRABLE INITIALLY DEFERRED)",
		child,
		parent,
		parent,
	)
	b.execf("CREATE TABLE %s(id INTEGER PRIMARY KEY, up REFERENCES %s(id) ON UPDATE SET NULL)", self, self)
	b.execf("CREATE TABLE %s(id INTEGER PRIMARY KEY, other REFERENCES %s(id))", one, two)
	b.execf(
		"CREATE TABLE %s(id INTEGER PRIMARY KEY, other REFERENCES %s(id), lost REFERENCES \"no such table\"(x))",
		two,
		one,
	)
	b.execf("CREATE TABLE %s(id INTEGER PRIMARY KEY, v)", parent)
	b.execf("INSERT INTO %s VALUES(99, 1), (1, 88), (1, NULL)", child)
	b.execf("INSERT INTO %s VALUES(1, 'x')", parent)
	b.execf("INSERT INTO %s VALUES(1, 2), (2, 1), (3, 3), (4, 77)", self)
	b.execf("INSERT INTO %s VALUES(1, 1), (2, 9)", one)
	b.execf("INSERT INTO %s VALUES(1, 1, 5), (7, 2, 6)", two)
}

func (b *builder) hundredColumns() {
	names := make([]string, 100)
	for i := range names {
		names[i] = fmt.Sprintf("c%d %s", i, pick(b, declaredTypes))
	}
	table := b.quote(b.name())
	b.exec("CREATE TABLE " + table + "(" + strings.Join(names, ", ") + ")")
	for range 5 {
		row := make([]cell, 100)
		for i := range row {
			row[i] = b.anyCell()
			if row[i].sql != "?" && len(row[i].sql) > 1000 {
				row[i] = null // the statement has an end
			}
		}
		b.insert(table, row...)
	}
}

func (b *builder) shortRows() {
	table := b.quote(b.name())
	b.execf("CREATE TABLE %s(a, b)", table)
	b.execf("INSERT INTO %s VALUES(1, 2), (3, NULL)", table)
	b.execf("ALTER TABLE %s ADD COLUMN c NOT NULL DEFAULT 'short'", table)
	b.execf("ALTER TABLE %s ADD COLUMN d REAL DEFAULT 5", table)
	b.execf("ALTER TABLE %s ADD COLUMN e", table)
	b.execf("INSERT INTO %s VALUES(4, 5, 6, 7, 8)", table)
	b.execf("ALTER TABLE %s ADD COLUMN f AS (a + 1)", table)
}

func (b *builder) altered() {
	table := b.quote(b.name())
	b.execf("CREATE TABLE before_rename(a, \"drop me\", b CHECK (b > 0), c REFERENCES before_rename(a))")
	b.execf("CREATE INDEX %s ON before_rename(b)", quote(b.name()))
	b.execf("INSERT INTO before_rename VALUES(1, 2, 3, 4), (NULL, x'00', 1, '')")
	b.execf("ALTER TABLE before_rename DROP COLUMN \"drop me\"")
	b.execf("ALTER TABLE before_rename RENAME COLUMN b TO \"renamed \"\"b\"\"\"")
	b.execf("ALTER TABLE before_rename RENAME TO %s", table)
}

func (b *builder) createdAs() {
	b.execf(
		"CREATE TABLE %s AS SELECT 1 AS a, 'x' AS \"b b\", 2.5 AS \"c\"\"c\", x'00' AS d UNION ALL SELECT NULL, '', -0.0, x''",
		b.quote(b.name()),
	)
	b.execf("CREATE TABLE IF NOT EXISTS main.%s AS SELECT 1 WHERE 0", quote(b.name()))
}

func (b *builder) defaults() {
	table := b.quote(b.name())
	b.execf(
		`CREATE TABLE main.%s(a DEFAULT (abs(-5)), b DEFAULT CURRENT_TIMESTAMP, c TEXT DEFAULT "double quoted", d DEFAULT x'00ff', e DEFAULT -9223372036854775808, f DEFAULT 9e999,
	  g DEFAULT TRUE, h DEFAULT 'it''s', i DEFAULT (json_object('a', 1)), j NOT NULL DEFAULT +1e-300, k DEFAULT NULL)`,
		table,
	)
	b.execf("INSERT INTO %s DEFAULT VALUES", table)
	b.execf("INSERT INTO %s(b) VALUES(NULL)", table)
}

func (b *builder) largeCells() {
	table := b.quote(b.name())
	b.execf("CREATE TABLE %s(a, b TEXT, c)", table)
	for _, size := range []int{899_990, 40_000, 1_200_000}[:1+b.random.IntN(3)] {
		content := make([]byte, size)
		for i := range content {
			content[i] = byte(b.random.Uint32())
		}
		b.exec("INSERT INTO "+table+" VALUES(?, hex(zeroblob(?)), 0.1)", content, b.random.IntN(200_000))
	}
}

// digestPages has tables around the number of rows that make a page of the digest.
func (b *builder) digestPages() {
	for _, rows := range []int{2048, 2047, 2049, 4096, 5000}[b.random.IntN(4):][:2] {
		table := b.quote(b.name())
		b.execf("CREATE TABLE %s(x, y)", table)
		b.execf(
			"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d) INSERT INTO %s(rowid, x, y) SELECT i * 3, i / 7.0, 'row ' || i FROM n",
			rows,
			table,
		)
	}
}

func (b *builder) manyTables() {
	for range 10 + b.random.IntN(60) {
		table := b.quote(b.name())
		b.execf("CREATE TABLE %s(x%s)", table, pick(b, []string{"", " UNIQUE", " INTEGER PRIMARY KEY"}))
		if b.chance(2) {
			b.execf("INSERT INTO %s VALUES(%d)", table, b.random.IntN(100))
		}
	}
}

func (b *builder) freePages() {
	b.exec("CREATE TABLE freed_soon(x)")
	b.exec(
		"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300) INSERT INTO freed_soon SELECT randomblob(900) FROM n",
	)
	b.last = append(b.last, func() { b.exec("DROP TABLE freed_soon") })
}

// walHeader makes the file look as if its write-ahead log was checkpointed before the upload.
func (b *builder) walHeader() {
	b.execf("CREATE TABLE %s(x)", b.quote(b.name()))
	b.wal = true
}
