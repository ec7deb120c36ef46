package sqlitefile

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dbmigrate/dbmigrate/internal/capi"
	"github.com/dbmigrate/dbmigrate/internal/testkit/effort"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// hardTables is a schema with something in every table that a copy gets wrong.
var hardTables = []string{
	`CREATE TABLE ints(id INTEGER PRIMARY KEY, v, n NUMERIC)`,
	`CREATE TABLE bits(v, r REAL)`,
	`CREATE TABLE texts(v, t TEXT)`,
	`CREATE TABLE "w r"(a TEXT COLLATE NOCASE, b INTEGER, c, d, PRIMARY KEY(b DESC, a, c COLLATE RTRIM DESC)) WITHOUT ROWID`,
	`CREATE TABLE textkey(k TEXT PRIMARY KEY, v) WITHOUT ROWID`,
	`CREATE TABLE rowids("a""b")`,
	`CREATE TABLE gen(s AS (a * 2) STORED, a INTEGER, v AS (a + 1), z DEFAULT (abs(-5)))`,
	`CREATE TABLE auto(id INTEGER PRIMARY KEY AUTOINCREMENT, v) /* a comment that stays */`,
	`CREATE TABLE emptied(id INTEGER PRIMARY KEY AUTOINCREMENT)`,
	`CREATE TABLE parent(id INTEGER PRIMARY KEY, CHECK (id < 3))`,
	`CREATE TABLE child(p INTEGER NOT NULL REFERENCES parent(id), q CHECK (q > 0))`,
	`CREATE TABLE descending(id INTEGER PRIMARY KEY DESC, v)`,
	`CREATE TABLE alias(rowid TEXT, oid INTEGER PRIMARY KEY, _rowid_)`,
	`CREATE TABLE taken(rowid, _ROWID_)`,
	`CREATE TABLE strictly(i INT, r REAL, t TEXT, b BLOB, a ANY, id INTEGER PRIMARY KEY) STRICT`,
	`CREATE TABLE log(what)`,
	`CREATE TABLE "ünïcode 𝕊"("ключ" TEXT, "[x]")`,
	`CREATE TABLE stored_default(a, b)`,
}

// hardRest makes what must not act while rows arrive.
var hardRest = []string{
	`CREATE VIEW later AS SELECT * FROM latest`,
	`CREATE VIEW latest(x) AS SELECT id FROM auto`,
	`CREATE VIEW broken AS SELECT missing FROM nowhere`,
	`CREATE INDEX by_v ON ints(v DESC, n) WHERE v > 0`,
	`CREATE UNIQUE INDEX by_lower ON texts(lower(t), v) WHERE t = 'only'`,
	`CREATE INDEX "by gen" ON gen(v, s)`,
	`CREATE TRIGGER fires AFTER INSERT ON ints BEGIN INSERT INTO log VALUES('fired'); DELETE FROM ints WHERE id = new.id; END`,
	`CREATE TRIGGER instead INSTEAD OF INSERT ON latest BEGIN INSERT INTO auto(v) VALUES(new.x); END`,
	`CREATE TRIGGER stops BEFORE INSERT ON child BEGIN SELECT RAISE(ABORT, 'no'); END`,
}

var hardVirtual = []string{
	`CREATE VIRTUAL TABLE own USING fts5(title, body UNINDEXED, tokenize = 'porter unicode61', prefix = '2 3')`,
	`INSERT INTO own(rowid, title, body) VALUES(-7, 'running fast', 'x'), (5, 'walks', NULL), (9223372036854775807, 'the end', 12)`,
	`INSERT INTO own(own, rank) VALUES('rank', 'bm25(10.0, 5.0)')`,
	`INSERT INTO own(own, rank) VALUES('pgsz', 512)`,
	`CREATE TABLE docs(id INTEGER PRIMARY KEY, body)`,
	`INSERT INTO docs VALUES(1, 'one two'), (3, 'three four')`,
	`CREATE VIRTUAL TABLE outside USING fts5(body, content = 'docs', content_rowid = 'id')`,
	`INSERT INTO outside(outside) VALUES('rebuild')`,
	`CREATE VIEW docview AS SELECT id, upper(body) AS body FROM docs`,
	`CREATE VIRTUAL TABLE overview USING fts5(body, content = docview, content_rowid = id)`,
	`INSERT INTO overview(overview) VALUES('rebuild')`,
	`CREATE TRIGGER docs_ai AFTER INSERT ON docs BEGIN INSERT INTO outside(rowid, body) VALUES(new.id, new.body); END`,
	`CREATE VIRTUAL TABLE words USING fts5vocab('own', 'row')`,
	`CREATE VIRTUAL TABLE box USING rtree(id, x0, x1, +label, +"other thing")`,
	`INSERT INTO box VALUES(-3, 1.5, 2.25, 'a', x'00'), (8, 0.1, 0.2, NULL, 9007199254740993)`,
	`CREATE VIRTUAL TABLE grid USING rtree_i32(id, x0, x1, y0, y1)`,
	`INSERT INTO grid VALUES(1, -2147483648, 2147483647, 0, 0)`,
}

// hardShape is what varies between the generated databases.
type hardShape struct {
	encoding   string
	pageSize   int
	autoVacuum int
	versions   byte
	virtual    bool
}

func (s hardShape) String() string {
	return fmt.Sprintf(
		"%s/%d/vacuum%d/version%d/virtual=%v",
		s.encoding,
		s.pageSize,
		s.autoVacuum,
		s.versions,
		s.virtual,
	)
}

func makeHard(t testing.TB, shape hardShape) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "hard.db")
	conn, err := capi.Open(path, capi.Create)
	if err != nil {
		t.Fatal(err)
	}
	execAll(
		t,
		conn,
		fmt.Sprintf("PRAGMA page_size=%d", shape.pageSize),
		fmt.Sprintf("PRAGMA encoding='%s'", shape.encoding),
		fmt.Sprintf(
			"PRAGMA auto_vacuum=%d",
			shape.autoVacuum,
		),
		"PRAGMA user_version=-7",
		"PRAGMA application_id=2147483647",
	)
	execAll(t, conn, "BEGIN")
	for _, table := range hardTables {
		if shape.encoding != UTF8 {
			table = strings.ReplaceAll(table, "STORED", "VIRTUAL") // refused
		}
		execAll(t, conn, table)
	}
	fillHard(t, conn, shape.encoding)
	execAll(t, conn, hardRest...)
	if shape.virtual {
		execAll(t, conn, hardVirtual...)
	}
	execAll(
		t,
		conn,
		"COMMIT",
		"ANALYZE",
		"DROP TABLE sqlite_stat4",
		"DELETE FROM sqlite_stat1 WHERE rowid % 3 = 1",
	)
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	if err := patchVersions(path, shape.versions, shape.versions); err != nil {
		t.Fatal(err)
	}
	return path
}

func integer(i int64) wire.Value  { return wire.Value{Class: wire.Integer, Int: i} }
func realOf(x float64) wire.Value { return wire.Value{Class: wire.Real, Real: x} }
func text(s string) wire.Value    { return wire.Value{Class: wire.Text, Bytes: []byte(s)} }
func blobOf(s string) wire.Value  { return wire.Value{Class: wire.Blob, Bytes: []byte(s)} }
func null() wire.Value            { return wire.Value{Class: wire.Null} }

func insert(t testing.TB, conn *capi.Conn, into string, values ...wire.Value) {
	t.Helper()
	sql := "INSERT INTO " + into + " VALUES(?" + strings.Repeat(", ?", len(values)-1) + ")"
	if err := conn.Exec(sql, values...); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

func fillHard(t testing.TB, conn *capi.Conn, encoding string) {
	fillNumbers(t, conn)
	fillTexts(t, conn, encoding)
	fillKeys(t, conn)
	execAll(
		t,
		conn,
		"INSERT INTO gen(a) VALUES(1), (NULL), (-9000000000)",
		"INSERT INTO auto VALUES(5, 'five')",
		"UPDATE sqlite_sequence SET seq = 4294967296000 WHERE name = 'auto'",
		"INSERT INTO emptied VALUES(9)",
		"DELETE FROM emptied",
		"INSERT INTO sqlite_sequence(rowid, name, seq) VALUES(77, 'no such table', 'text')",
		"INSERT INTO parent VALUES(1), (4)",
		"INSERT INTO child VALUES(99, 1), (1, -1)",
		"INSERT INTO strictly VALUES(1, 2, 'x', x'00', 5.0, 1), (NULL, NULL, NULL, NULL, '5', 2)",
		"INSERT INTO stored_default VALUES(1, 2)",
		"ALTER TABLE stored_default ADD COLUMN c NOT NULL DEFAULT 'short'",
		"INSERT INTO stored_default VALUES(3, 4, 5)",
		`INSERT INTO "ünïcode 𝕊" VALUES('значение', 1)`,
	)
}

func fillNumbers(t testing.TB, conn *capi.Conn) {
	edges := []int64{
		0,
		1,
		-1,
		127,
		128,
		-129,
		1 << 53,
		1<<53 + 1,
		-(1<<53 + 1),
		math.MaxInt64,
		math.MinInt64,
		math.MaxInt64 - 1,
	}
	for i, edge := range edges {
		insert(t, conn, "ints(id, v, n)", integer(edge), integer(edge), realOf(float64(i)+0.5))
	}
	random := rand.New(rand.NewPCG(1, 2))
	special := []float64{
		math.Copysign(0, -1),
		math.Inf(1),
		math.Inf(-1),
		math.SmallestNonzeroFloat64,
		math.MaxFloat64,
		0.1,
		5,
		-9223372036854775808,
		9.223372036854775e18,
	}
	for i := range 5000 {
		x := math.Float64frombits(random.Uint64())
		if i < len(special) {
			x = special[i]
		}
		if x != x {
			continue
		}
		insert(t, conn, "bits", realOf(x), realOf(x))
	}
	for i := range 60 {
		insert(t, conn, "rowids(rowid, \"a\"\"b\")", integer(int64(i*i*i-5000)), integer(int64(i)))
	}
}

func fillTexts(t testing.TB, conn *capi.Conn, encoding string) {
	texts := []string{
		"",
		"\x00",
		"a\x00b",
		"'\"",
		"123",
		"1e5",
		"\ufeff",
		"\ufeffbom",
		"\ufffe",
		"\uffff",
		"𝕊",
		"e\u0301",
		strings.Repeat("lang ", 20000),
	}
	if encoding == UTF8 {
		texts = append(texts, "\xff", "\xc3\x28", "\xed\xa0\x80", "trailing\xe2\x82")
	}
	for _, s := range texts {
		insertText(t, conn, encoding, s)
		insert(t, conn, "texts", blobOf(s), null())
	}
}

// insertText stores s exactly, which SQLite's own conversion to UTF-16 would not.
func insertText(t testing.TB, conn *capi.Conn, encoding, s string) {
	t.Helper()
	params := []wire.Value{text(s), text(s)}
	as := "?"
	if encoding != UTF8 {
		converted, err := appendUTF16(nil, []byte(s), orderOf(encoding))
		if err != nil {
			t.Fatal(err)
		}
		params = []wire.Value{blobOf(string(converted)), blobOf(string(converted))}
		as = "CAST(? AS TEXT)"
	}
	if err := conn.Exec("INSERT INTO texts VALUES("+as+", "+as+")", params...); err != nil {
		t.Fatal(err)
	}
}

func fillKeys(t testing.TB, conn *capi.Conn) {
	for _, a := range []string{"a", "B", "C", "a b", "𝕊", "\uffee", ""} {
		for _, b := range []int64{3, -1, 1 << 60} {
			for _, c := range []wire.Value{integer(1), realOf(1.5), text("x"), text("y  "), blobOf("z")} {
				insert(t, conn, `"w r"`, text(a), integer(b), c, text(a+"/"))
			}
		}
		insert(t, conn, "textkey", text(a), text(a))
	}
	execAll(
		t,
		conn,
		"INSERT INTO descending VALUES(5, 'x'), (2, 'y'), (NULL, 'z'), ('6', 'w')",
		"INSERT INTO alias VALUES('a', 3, 1), ('b', 1, 2)",
		"INSERT INTO taken(oid, rowid, _rowid_) VALUES(10, 'a', 'b'), (-10, 'c', 'd')",
	)
}

var hardShapes = []hardShape{
	{UTF8, 4096, 0, 1, true},
	{UTF8, 512, 1, 2, true},
	{UTF8, 65536, 2, 1, false},
	{UTF16le, 1024, 0, 1, true},
	{UTF16be, 8192, 2, 2, false},
}

func TestHardDatabasesComeBackExactly(t *testing.T) {
	for _, shape := range effort.Some(t, "shapes", hardShapes, 1) {
		t.Run(shape.String(), func(t *testing.T) {
			path := makeHard(t, shape)
			f := openFile(t, path)
			built := rebuild(t, f)
			g := openFile(t, built)
			wantSameDigest(t, digestOf(t, g), digestOf(t, f))
			wantSameHeader(t, g.Header(), f.Header())
			wantOwnDigest(t, shape, path, built)
			wantFullText(t, shape, built)
		})
	}
}

func wantSameHeader(t *testing.T, got, want wire.Header) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("header %+v, want %+v", got, want)
	}
}

// wantOwnDigest compares with the independent tool; it looks into shadow tables, which may have another
// layout.
func wantOwnDigest(t *testing.T, shape hardShape, path, built string) {
	t.Helper()
	if shape.virtual {
		return
	}
	if out, err := exec.Command("python3", "../../scripts/dbdigest.py", path, built).CombinedOutput(); err != nil {
		t.Errorf("dbdigest.py: %v: %s", err, out)
	}
}

// wantFullText asks the rebuilt indexes.
func wantFullText(t *testing.T, shape hardShape, built string) {
	t.Helper()
	if !shape.virtual {
		return
	}
	conn, err := capi.Open(built, capi.Immutable)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for query, want := range map[string]int64{
		"SELECT rowid FROM own('run')":                                -7,
		"SELECT rowid FROM outside('four')":                           3,
		"SELECT rowid FROM overview('one')":                           1,
		"SELECT id FROM box WHERE x1 < 1":                             8,
		"SELECT count(*) FROM words":                                  5,
		"SELECT v FROM own_config WHERE k = 'pgsz'":                   512,
		"SELECT count(*) FROM own_config WHERE v = 'bm25(10.0, 5.0)'": 1,
	} {
		rows := 0
		err := conn.Query(query, nil, func(s *capi.Stmt) error {
			rows++
			if got := s.Int(0); got != want {
				t.Errorf("%s: %d, want %d", query, got, want)
			}
			return nil
		})
		if err != nil || rows != 1 {
			t.Errorf("%s: %d rows, %v", query, rows, err)
		}
	}
}

// fence puts a fence into the file, and returns its content.
func fence(t *testing.T, path string) []byte {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	head, err := userdb.WithFence(content[:userdb.HeaderBytes], 3, 4, []byte("abcdefghijkl"))
	if err != nil {
		t.Fatal(err)
	}
	copy(content, head)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return content
}

func TestFencedFileReadsAsBefore(t *testing.T) {
	path := makeHard(t, hardShapes[1])
	before := digestOf(t, openFile(t, path))
	content := fence(t, path)
	f := openFile(t, path)
	wantSameDigest(t, digestOf(t, f), before)
	if h := f.Header(); h.WriteVersion != 2 || h.ReadVersion != 2 || f.Mark().Non != 4 {
		t.Errorf("header %+v, mark %+v", h, f.Mark())
	}
	if after, err := os.ReadFile(path); err != nil || string(after) != string(content) {
		t.Errorf("reading changed the fenced file (%v)", err)
	}
}
