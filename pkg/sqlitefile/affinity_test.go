package sqlitefile

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/dbmigrate/dbmigrate/internal/capi"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// oracle is SQLite itself: it stores a value in a column of each declared type and says what became of it.
type oracle struct{ conn *capi.Conn }

var oracleTypes = []string{"TEXT", "NUMERIC", "INTEGER", "REAL", "BLOB", ""}

func newOracle(t testing.TB) *oracle {
	conn, err := capi.Open("", capi.Memory)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	for _, declared := range oracleTypes {
		execAll(t, conn, "CREATE TABLE \"t"+declared+"\"(v "+declared+")")
	}
	return &oracle{conn: conn}
}

// changes says whether storing v in a column of the declared type and reading it back gives another value.
func (o *oracle) changes(t testing.TB, declared string, v wire.Value) bool {
	changed := false
	execAll(t, o.conn, "DELETE FROM \"t"+declared+"\"")
	if err := o.conn.Exec("INSERT INTO \"t"+declared+"\" VALUES(?)", v); err != nil {
		t.Fatal(err)
	}
	err := o.conn.Query("SELECT v FROM \"t"+declared+"\"", nil, func(s *capi.Stmt) error {
		got := s.Value(0)
		changed = got.Class != v.Class || got.Int != v.Int ||
			math.Float64bits(got.Real) != math.Float64bits(v.Real) ||
			string(got.Bytes) != string(v.Bytes)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return changed
}

func (o *oracle) compare(t testing.TB, v wire.Value) {
	t.Helper()
	for _, declared := range oracleTypes {
		rule := cellRule{affinity: affinityOf(declared, false)}
		// An INTEGER is read from a REAL column as a REAL: no reader of a REAL column sees one.
		if declared == "REAL" && v.Class == wire.Integer {
			continue
		}
		if got, want := rule.changes(&v), o.changes(t, declared, v); got != want {
			t.Fatalf(
				"%s %s in a column of type %q: changes %v, and SQLite says %v",
				className(v.Class),
				formatValue(&v),
				declared,
				got,
				want,
			)
		}
	}
}

func TestChangesAgreesWithSQLite(t *testing.T) {
	o := newOracle(t)
	for _, s := range []string{"", " ", "1", "-1", "+1", "1.", ".1", ".", "-.", "1e5", "1e", "1e+", "1e+5", "1E-5", "e5", "0x10", "1 ", "\t1\n", "1\x00", "\x001", "1 2",
		"1_000", "Infinity", "nan", "9223372036854775808", "1e400", "--1", "1..2", "\u00a01", "\v1\f", "1\r", "12abc", "٣", "-0", "-0.0", "00012"} {
		o.compare(t, text(s))
		o.compare(t, blobOf(s))
	}
	limit := math.Exp2(63)
	for _, x := range []float64{0, math.Copysign(0, -1), 1, -1, 1.5, 1e15, 1e18, 1e19, limit, -limit, math.Nextafter(limit, 0), math.Nextafter(-limit, 0),
		math.Inf(1), math.Inf(-1), math.MaxFloat64, math.SmallestNonzeroFloat64, 1 << 53, 1<<53 + 2} {
		o.compare(t, realOf(x))
	}
	for _, i := range []int64{0, 1, -1, math.MaxInt64, math.MinInt64} {
		o.compare(t, integer(i))
	}
	o.compare(t, null())
	random := rand.New(rand.NewPCG(5, 6))
	for range 2000 {
		if x := math.Float64frombits(random.Uint64()); x == x {
			o.compare(t, realOf(x))
		}
		o.compare(t, realOf(float64(random.Int64())))
		o.compare(t, text(randomNumberText(random)))
	}
}

func randomNumberText(random *rand.Rand) string {
	const alphabet = "0123456789..eE+- \t_x"
	var b strings.Builder
	for range random.IntN(8) {
		b.WriteByte(alphabet[random.IntN(len(alphabet))])
	}
	return b.String()
}

func FuzzLooksNumeric(f *testing.F) {
	for _, s := range []string{"1", " -1.5e+3 ", "0x1", "1e", "\x0b.5"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, s []byte) {
		o := newOracle(t)
		o.compare(t, wire.Value{Class: wire.Text, Bytes: s})
	})
}

func TestAffinityOf(t *testing.T) {
	conn, err := capi.Open("", capi.Memory)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	names := map[Affinity]string{
		None:            "real",
		TextAffinity:    "text",
		NumericAffinity: "integer",
		IntegerAffinity: "integer",
		RealAffinity:    "real",
	}
	for _, declared := range []string{"INT", "tinyint", "VARCHAR(255)", "CLOB", "text", "BLOB", "", "REAL", "DOUBLE PRECISION", "FLOAT", "NUMERIC", "DECIMAL(10,5)",
		"BOOLEAN", "DATE", "DATETIME", "FLOATING POINT", "CHARINT", "BLOBREAL", "REALBLOB", "TEXTBLOB", "STRING", "ANY", "ınt", "POINT"} {
		execAll(
			t,
			conn,
			"DROP TABLE IF EXISTS t",
			"CREATE TABLE t(v "+declared+")",
			"INSERT INTO t VALUES(5.0)",
		)
		stored := ""
		if err := conn.Query("SELECT typeof(v) FROM t", nil, func(s *capi.Stmt) error { stored = s.Text(0); return nil }); err != nil {
			t.Fatal(err)
		}
		if got := names[affinityOf(declared, false)]; got != stored {
			t.Errorf("%q: stores %s, and we expect %s", declared, stored, got)
		}
	}
	if affinityOf("any", true) != None || affinityOf("INT", true) != IntegerAffinity {
		t.Error("STRICT types")
	}
}

func TestRowSizeIsBoundedAsSQLiteDoes(t *testing.T) {
	// SQLite's own limit counts the whole record; ours must refuse what it refuses.
	conn, err := capi.Open("", capi.Memory)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	execAll(t, conn, "CREATE TABLE t(a, b, c)")
	conn.Limit(0, 2000)
	table := Table{
		Name:        "t",
		Cells:       []string{"a", "b", "c"},
		cellColumns: []int{-1, -1, -1},
		Key:         []KeyColumn{{}},
	}
	limits := wire.DefaultLimits
	limits.CellBytes = 2000
	for size := 1900; size < 2010; size++ {
		row := []wire.Value{
			integer(math.MaxInt64),
			text(strings.Repeat("x", size/2)),
			blobOf(strings.Repeat("x", size-size/2)),
		}
		refusedBySQLite := conn.Exec("INSERT INTO t VALUES(?, ?, ?)", row...) != nil
		checker := NewRowChecker(&table, limits)
		checker.Check(row)
		if refusedBySQLite && checker.Err() == nil {
			t.Errorf("%d bytes pass the check, and SQLite refuses them", size)
		}
		if size < 1960 && checker.Err() != nil {
			t.Errorf("%d bytes do not pass the check", size)
		}
	}
}
