package harddb

// virtual makes a virtual table with a plain name, which its shadow tables share.
func (b *builder) virtual(using string) string {
	name := b.simple("virtual")
	b.execf("CREATE VIRTUAL TABLE %s USING %s", name, using)
	b.made.Virtual = append(b.made.Virtual, name)
	return name
}

// fullText is FTS5 with content of its own.
func (b *builder) fullText() {
	name := b.virtual(pick(b, []string{
		"fts5(title, body UNINDEXED, tokenize = 'porter unicode61 remove_diacritics 2', prefix = '2 3')",
		"fts5(title, body)", "fts5(title, \"body\", tokenize = \"trigram case_sensitive 1\", detail = column)", "fts5(title, body, columnsize = 0, detail = none)",
		"fts5(title, body, tokenize = \"unicode61 tokenchars '-_'\")",
	}))
	b.execf(
		"INSERT INTO %s(rowid, title, body) VALUES(-7, 'running fast', 'x'), (5, 'walks ünï 東京', NULL), (9223372036854775807, 'the end', 12)",
		name,
	)
	b.insert(name+"(title, body)", b.text(b.anyText()), b.anyCell())
	if b.chance(2) {
		b.execf("DELETE FROM %s WHERE rowid = 5", name)
	}
	if b.chance(2) {
		b.execf(
			"INSERT INTO %s(%s, rank) VALUES('rank', 'bm25(10.0, 5.0)'), ('pgsz', 512), ('automerge', 8)",
			name,
			name,
		)
	}
	if b.chance(2) {
		b.made.Virtual = append(b.made.Virtual, "words_of_"+name)
		b.execf(
			"CREATE VIRTUAL TABLE words_of_%s USING fts5vocab('%s', '%s')",
			name,
			name,
			pick(b, []string{"row", "col", "instance"}),
		)
	}
}

// fullTextOutside is FTS5 over the content of a table and of a view, kept in step by triggers.
func (b *builder) fullTextOutside() {
	docs, view := b.simple("docs"), b.simple("docview")
	b.execf("CREATE TABLE %s(id INTEGER PRIMARY KEY, body)", docs)
	b.execf("INSERT INTO %s VALUES(1, 'one two'), (3, 'three four'), (-9, NULL)", docs)
	outside := b.virtual("fts5(body, content = '" + docs + "', content_rowid = 'id')")
	b.execf("INSERT INTO %s(%s) VALUES('rebuild')", outside, outside)
	b.execf("CREATE VIEW %s AS SELECT id, upper(body) AS body FROM %s", view, docs)
	over := b.virtual("fts5(body, content = " + view + ", content_rowid = id)")
	b.execf("INSERT INTO %s(%s) VALUES('rebuild')", over, over)
	b.execf(
		"CREATE TRIGGER %s AFTER INSERT ON %s BEGIN INSERT INTO %s(rowid, body) VALUES(new.id, new.body); END",
		b.quote(b.name()),
		docs,
		outside,
	)
	b.execf(
		"CREATE TRIGGER %s AFTER DELETE ON %s BEGIN INSERT INTO %s(%s, rowid, body) VALUES('delete', old.id, old.body); END",
		b.quote(b.name()),
		docs,
		outside,
		outside,
	)
}

func (b *builder) rtree() {
	box := b.virtual("rtree(id, x0, x1, y0, y1, +label, +\"other thing\")")
	grid := b.virtual("rtree_i32(id, x0, x1)")
	for i := range 120 {
		x := float32(b.random.NormFloat64() * 1000)
		b.exec(
			"INSERT INTO "+box+" VALUES(?, ?, ?, ?, ?, ?, ?)",
			int64(i*i-50),
			x,
			x+1.5,
			-x-0.25,
			1-x,
			pick(b, []any{nil, "a", int64(1) << 60, 0.1, []byte{0}}),
			"label",
		)
		b.exec("INSERT INTO "+grid+" VALUES(?, ?, ?)", int64(i)-60, -b.random.Int32(), b.random.Int32())
	}
	b.execf("DELETE FROM %s WHERE id %% 5 = 0", box)
}
