package harddb

import (
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/dbmigrate/dbmigrate/pkg/sqlitefile"
)

// refusals are what a Durable Object has no place for, and what is no sound database at all.
var refusals = []refusal{
	{feature{"101 columns", (*builder).columns101}, sqlitefile.ReasonTooManyColumns, ""},
	{
		feature{"a CREATE text over 100,000 bytes", (*builder).longStatement},
		sqlitefile.ReasonStatementLength,
		"",
	},
	{feature{"a reserved name", (*builder).reservedName}, sqlitefile.ReasonReservedName, ""},
	{feature{"a module that is not there", (*builder).module}, sqlitefile.ReasonModule, ""},
	{feature{"a refused function", (*builder).function}, sqlitefile.ReasonFunction, ""},
	{feature{"an unknown collation", (*builder).collation}, sqlitefile.ReasonCollation, ""},
	{feature{"a compound SELECT of six terms", (*builder).compound}, sqlitefile.ReasonCompoundSelect, ""},
	{feature{"a deep expression", (*builder).depth}, sqlitefile.ReasonExpressionDepth, ""},
	{feature{"a long chain of triggers", (*builder).chain}, sqlitefile.ReasonTriggerDepth, ""},
	{feature{"a long pattern", (*builder).pattern}, sqlitefile.ReasonLikePattern, ""},
	{feature{"contentless full text", (*builder).contentless}, sqlitefile.ReasonContentless, ""},
	{feature{"full text with locales", (*builder).locale}, sqlitefile.ReasonFTS5Locale, ""},
	{feature{"full text out of step", (*builder).outOfStep}, sqlitefile.ReasonFTS5OutOfStep, ""},
	{
		feature{"a table named like a part of a full-text table", (*builder).likeShadow},
		sqlitefile.ReasonShadowName,
		"",
	},
	{feature{"a hidden rowid", (*builder).hiddenRowid}, sqlitefile.ReasonHiddenRowid, ""},
	{feature{"sqlite_stat4", (*builder).stat4}, sqlitefile.ReasonStatistics, ""},
	{feature{"a cell over 2,000,000 bytes", (*builder).largeCell}, sqlitefile.ReasonRowTooLarge, ""},
	{feature{"a row over 2,000,000 bytes", (*builder).largeRow}, sqlitefile.ReasonRowTooLarge, ""},
	{feature{"a value of another affinity", (*builder).otherAffinity}, sqlitefile.ReasonValueChanges, ""},
	{feature{"NULL in NOT NULL", (*builder).nullInNotNull}, sqlitefile.ReasonNotNull, ""},
	{feature{"a value of another strict type", (*builder).otherStrictType}, sqlitefile.ReasonStrictType, ""},
	{feature{"text that is no UTF-16", (*builder).loneSurrogate}, sqlitefile.ReasonInvalidText, utf16leName},
	{feature{"a STORED column in UTF-16", (*builder).storedInUTF16}, sqlitefile.ReasonStoredEncoding, utf16beName},
	{feature{"a computed key in UTF-16", (*builder).computedKeyInUTF16}, sqlitefile.ReasonComputedEncoding, utf16leName},
	{feature{"a name that is no UTF-8", (*builder).invalidName}, sqlitefile.ReasonTextEncoding, utf8Name},
	{feature{"a type that is none of SQLite's", (*builder).otherType}, sqlitefile.ReasonTextChanges, ""},
	{feature{"an overwritten page", (*builder).overwritten}, sqlitefile.ReasonDamaged, ""},
	{feature{"an overflow chain that loops", (*builder).overflowLoop}, sqlitefile.ReasonDamaged, ""},
	{feature{"an index that does not fit", (*builder).wrongIndex}, sqlitefile.ReasonDamaged, ""},
	{feature{"a truncated file", (*builder).truncated}, sqlitefile.ReasonTruncated, ""},
	{
		feature{"an unfinished checkpoint", (*builder).unfinishedCheckpoint},
		sqlitefile.ReasonWALLeftBehind,
		"",
	},
	{feature{"no SQLite file", (*builder).notSQLite}, sqlitefile.ReasonNotSQLite, ""},
	{feature{"an encrypted file", (*builder).encrypted}, sqlitefile.ReasonEncrypted, ""},
	{feature{"an empty file", (*builder).emptyFile}, sqlitefile.ReasonEmptyFile, ""},
}

func (b *builder) storedInUTF16() {
	b.execf("CREATE TABLE %s(a, b AS (a || '') STORED)", b.quote(b.name()))
}

// computedKeyInUTF16 has rows that UTF-8 has no room for: a conflict clause would let them vanish.
func (b *builder) computedKeyInUTF16() {
	computed := pick(b, []string{
		"substr(CAST(a AS BLOB), 3, 1)) UNIQUE",
		"iif(substr(CAST(a AS BLOB), 2, 1) = x'00', a, NULL)) NOT NULL",
	})
	table := b.quote(b.name())
	b.execf("CREATE TABLE %s(a, k AS (%s%s)", table, computed, pick(b, conflictClauses))
	b.execf("INSERT INTO %s(a) VALUES('abX'), ('acX'), ('adX')", table)
}

// otherType gives a table with rows a type by which nobody looks for tables. SQLite does not mind the case.
func (b *builder) otherType() {
	table := b.name()
	b.execf("CREATE TABLE %s(a)", quote(table))
	b.execf("INSERT INTO %s VALUES(1), (2)", quote(table))
	b.last = append(b.last, func() {
		b.exec("PRAGMA writable_schema = ON")
		b.exec("UPDATE sqlite_schema SET type = ? WHERE name = ?", pick(b, []string{"Table", "TABLE"}), table)
		b.exec("PRAGMA writable_schema = OFF")
	})
}

func (b *builder) columns101() {
	names := make([]string, 101)
	for i := range names {
		names[i] = fmt.Sprintf("c%d", i)
	}
	b.execf("CREATE TABLE %s(%s)", b.quote(b.name()), strings.Join(names, ", "))
}

func (b *builder) longStatement() {
	b.execf("CREATE TABLE %s(x /* %s */)", b.quote(b.name()), strings.Repeat("long ", 20_000))
}

func (b *builder) reservedName() {
	b.exec(
		strings.NewReplacer("NAME", quote(pick(b, []string{"_cf_KV", "_CF_x", "_cf_"})), "OTHER", quote(b.name())).
			Replace(pick(b, []string{
				"CREATE TABLE NAME(x)", "CREATE VIEW NAME AS SELECT 1",
				"CREATE TABLE OTHER(x); CREATE INDEX NAME ON OTHER(x)",
				"CREATE TABLE OTHER(x); CREATE TRIGGER NAME AFTER INSERT ON OTHER BEGIN SELECT 1; END",
			})),
	)
}

func (b *builder) module() {
	b.execf("CREATE VIRTUAL TABLE %s USING dbstat", b.quote(b.name()))
}

func (b *builder) function() {
	b.exec(strings.NewReplacer("NAME", quote(b.name()), "OTHER", quote(b.name())).Replace(pick(b, []string{
		"CREATE TABLE NAME(a CHECK (power(a, 2) > 0))",
		"CREATE TABLE NAME(a DEFAULT (log10(100)))",
		"CREATE TABLE NAME(a, b AS (json_pretty(a)))",
		"CREATE TABLE NAME(a); CREATE INDEX OTHER ON NAME(ceiling(a))",
		"CREATE TABLE NAME(a, b AS (power(a, 2)) " + b.stored() + ")",
	})))
}

func (b *builder) collation() {
	table := b.name()
	b.execf("CREATE TABLE %s(a TEXT COLLATE NOCASE)", quote(table))
	b.rewrite(table, "NOCASE", "LOCALIZED")
}

func (b *builder) compound() {
	b.execf(
		"CREATE VIEW %s AS SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4 UNION ALL SELECT 5 UNION ALL SELECT 6",
		b.quote(b.name()),
	)
}

func (b *builder) depth() {
	b.execf("CREATE TABLE %s(a CHECK (a%s > 0))", b.quote(b.name()), strings.Repeat(" + a", 120))
}

func (b *builder) chain() {
	name := b.simple("chain")
	for i := range 12 {
		b.execf("CREATE TABLE %s%d(a)", name, i)
	}
	for i := range 11 {
		b.execf(
			"CREATE TRIGGER %[1]s_%[2]d AFTER INSERT ON %[1]s%[2]d BEGIN INSERT INTO %[1]s%[3]d VALUES(new.a); END",
			name,
			i,
			i+1,
		)
	}
}

func (b *builder) pattern() {
	b.exec(
		strings.NewReplacer("NAME", quote(b.name()), "OTHER", quote(b.name()), "LONG", strings.Repeat("long ", 11)).
			Replace(pick(b, []string{
				"CREATE TABLE NAME(a CHECK (a NOT LIKE '%LONG%'))",
				"CREATE TABLE NAME(a, b AS (a GLOB 'LONG*'))",
				"CREATE TABLE NAME(a); CREATE INDEX OTHER ON NAME(a) WHERE a LIKE 'LONG%'",
				"CREATE TABLE NAME(a); CREATE TRIGGER OTHER AFTER INSERT ON NAME WHEN new.a LIKE 'LONG%' BEGIN SELECT 1; END",
			})),
	)
}

func (b *builder) contentless() {
	b.execf(
		"CREATE VIRTUAL TABLE %s USING fts5(a, content = ''%s)",
		b.simple("virtual"),
		pick(b, []string{"", ", contentless_delete = 1"}),
	)
}

func (b *builder) locale() {
	b.execf("CREATE VIRTUAL TABLE %s USING fts5(a, locale = 1)", b.simple("virtual"))
}

func (b *builder) outOfStep() {
	docs, index := b.simple("docs"), b.simple("virtual")
	b.execf("CREATE TABLE %s(id INTEGER PRIMARY KEY, body)", docs)
	b.execf("CREATE VIRTUAL TABLE %s USING fts5(body, content = '%s', content_rowid = 'id')", index, docs)
	b.execf("INSERT INTO %s VALUES(1, 'never indexed')", docs)
}

func (b *builder) likeShadow() {
	name := b.simple("virtual")
	b.exec(strings.ReplaceAll(pick(b, []string{
		"CREATE TABLE NAME_content(id INTEGER PRIMARY KEY, body); CREATE VIRTUAL TABLE NAME USING fts5(body, content = 'NAME_content', content_rowid = 'id')",
		"CREATE TABLE NAME_Content(id); CREATE TABLE NAME_other(body); CREATE VIRTUAL TABLE NAME USING fts5(body, content = NAME_other)",
		"CREATE TABLE NAME_docsize(id); CREATE VIRTUAL TABLE NAME USING fts5(body, columnsize = 0)",
	}), "NAME", name))
}

func (b *builder) hiddenRowid() {
	b.execf("CREATE TABLE %s(rowid, OID, \"_rowid_\" TEXT)", b.quote(b.name()))
}

func (b *builder) stat4() {
	table := b.quote(b.name())
	b.execf("CREATE TABLE %s(a UNIQUE)", table)
	b.execf("INSERT INTO %s VALUES(1), (2), (3)", table)
	b.last = append(b.last, func() { b.exec("ANALYZE") })
}

func (b *builder) largeCell() {
	table := b.quote(b.name())
	b.execf("CREATE TABLE %s(a, b)", table)
	b.execf(
		"INSERT INTO %s VALUES(1, %s)",
		table,
		pick(b, []string{"zeroblob(2000001)", "hex(zeroblob(1000001))", "zeroblob(5100000)"}),
	)
}

func (b *builder) largeRow() {
	table := b.quote(b.name())
	b.execf("CREATE TABLE %s(a, b)", table)
	b.execf("INSERT INTO %s VALUES(zeroblob(1000000), zeroblob(1000001))", table)
}

func (b *builder) otherAffinity() {
	table := b.name()
	b.execf("CREATE TABLE %s(a BLOB)", quote(table))
	b.execf("INSERT INTO %s VALUES(1), ('5')", quote(table))
	b.rewrite(table, "(a BLOB)", "(a INTEGER)")
}

func (b *builder) nullInNotNull() {
	table := b.name()
	b.execf("CREATE TABLE %s(a /* */)", quote(table))
	b.execf("INSERT INTO %s VALUES(1), (NULL)", quote(table))
	b.rewrite(table, "(a /* */)", "(a NOT NULL)")
}

func (b *builder) otherStrictType() {
	table := b.name()
	b.execf("CREATE TABLE %s(a INT) /* */", quote(table))
	b.execf("INSERT INTO %s VALUES(1), ('text')", quote(table))
	b.rewrite(table, "(a INT)", "(a INT) STRICT")
}

func (b *builder) loneSurrogate() {
	table := b.quote(b.name())
	b.execf("CREATE TABLE %s(a)", table)
	b.execf("INSERT INTO %s VALUES(CAST(x'%s' AS TEXT))", table, pick(b, []string{"d8d8", "dcdcdcdc"}))
}

func (b *builder) invalidName() { b.exec("CREATE TABLE \"not \xff utf-8\"(x)") }

func (b *builder) overwritten() {
	table := b.name()
	b.execf("CREATE TABLE %s(a)", quote(table))
	b.execf("INSERT INTO %s VALUES(1)", quote(table))
	b.last = append(b.last, func() {
		size := b.number("PRAGMA page_size")
		root := b.number(
			"SELECT rootpage FROM sqlite_schema WHERE type = 'table' AND name = '" + strings.ReplaceAll(
				table,
				"'",
				"''",
			) + "'",
		)
		b.patches = append(b.patches, func(content []byte) []byte {
			for i := range size {
				content[(root-1)*size+i] = 0xff
			}
			return content
		})
	})
}

// overflowLoop makes the first overflow page of a row lead to itself; its number ends the only cell of the
// table, which ends the page.
func (b *builder) overflowLoop() {
	table := b.name()
	b.execf("CREATE TABLE %s(a)", quote(table))
	b.execf("INSERT INTO %s VALUES(zeroblob(300000))", quote(table))
	b.last = append(b.last, func() {
		size := b.number("PRAGMA page_size")
		root := b.number(
			"SELECT rootpage FROM sqlite_schema WHERE type = 'table' AND name = '" + strings.ReplaceAll(
				table,
				"'",
				"''",
			) + "'",
		)
		b.patches = append(b.patches, func(content []byte) []byte {
			first := content[root*size-4 : root*size]
			copy(content[(int(binary.BigEndian.Uint32(first))-1)*size:], first)
			return content
		})
	})
}

func (b *builder) wrongIndex() {
	table, index := b.quote(b.name()), b.name()
	b.execf("CREATE TABLE %s(a, b)", table)
	b.execf("INSERT INTO %s VALUES(1, 2), (3, 4)", table)
	b.execf("CREATE INDEX %s ON %s(a /* */)", quote(index), table)
	b.rewrite(index, "(a /* */)", "(b)")
}

func (b *builder) truncated() {
	b.execf("CREATE TABLE %s(a)", b.quote(b.name()))
	cut := 1 + b.random.IntN(400)
	b.patches = append(b.patches, func(content []byte) []byte { return content[:len(content)-cut] })
}

func (b *builder) unfinishedCheckpoint() {
	b.execf("CREATE TABLE %s(a)", b.quote(b.name()))
	b.wal = true
	b.last = append(b.last, func() {
		size := b.number("PRAGMA page_size")
		b.patches = append(
			b.patches,
			func(content []byte) []byte { return append(content, []byte(strings.Repeat("w", int(size)))...) },
		)
	})
}

func (b *builder) notSQLite() {
	b.patches = append(
		b.patches,
		func([]byte) []byte { return []byte(strings.Repeat("{\"not\": \"a database\"}\n", 60)) },
	)
}

func (b *builder) encrypted() {
	b.patches = append(b.patches, func([]byte) []byte {
		content := make([]byte, 8192)
		for i := range content {
			content[i] = byte(b.random.Uint32())
		}
		return content
	})
}

func (b *builder) emptyFile() { b.patches = append(b.patches, func([]byte) []byte { return nil }) }

// rewrite changes a CREATE text behind SQLite's back, at the very end.
func (b *builder) rewrite(name, old, with string) {
	b.last = append(b.last, func() {
		b.exec("PRAGMA writable_schema = ON")
		b.exec("UPDATE sqlite_schema SET sql = replace(sql, ?, ?) WHERE name = ?", old, with, name)
		b.exec("PRAGMA writable_schema = OFF")
	})
}
