package property

import (
	"os/exec"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/dbmigrate/dbmigrate/pkg/preflight"
	"github.com/dbmigrate/dbmigrate/pkg/sqlitefile"
	"github.com/dbmigrate/dbmigrate/pkg/verify"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// referee is a program that nobody of this project's code helps.
const referee = "../../scripts/dbdigest.py"

// wantSame compares two files exactly: what their tables hold, every CREATE text in its place, and the
// header.
func wantSame(t *testing.T, original, back string, virtual []string) {
	t.Helper()
	was, wasDigest := readFile(t, original)
	is, isDigest := readFile(t, back)
	for _, d := range append(verify.Databases(wasDigest, isDigest), verify.Schemas(was, is)...) {
		t.Errorf("the file that came back differs: %s", d)
	}
	if !reflect.DeepEqual(was.Header, is.Header) {
		t.Errorf("header %+v came back as %+v", was.Header, is.Header)
	}
	if got, want := inOrder(is), inOrder(was); !reflect.DeepEqual(got, want) {
		t.Errorf("the objects came back in another order: %q, not %q", got, want)
	}
	askReferee(t, original, back, virtual)
	wantSound(t, back)
}

func readFile(t *testing.T, path string) (wire.Schema, wire.DatabaseDigest) {
	t.Helper()
	f, err := sqlitefile.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	schema, err := f.Schema()
	if err != nil {
		t.Fatal(err)
	}
	digest, err := f.Digest(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return schema, digest
}

// inOrder lists the names of each type in the order of sqlite_schema, in which triggers fire. (Types are not
// kept apart in a file, but their order among each other means nothing.)
func inOrder(s wire.Schema) map[string][]string {
	names := map[string][]string{}
	for _, o := range s.Objects {
		names[o.Type] = append(names[o.Type], o.Name)
	}
	return names
}

func askReferee(t *testing.T, original, back string, virtual []string) {
	t.Helper()
	out, err := exec.Command("python3", referee, original, back).CombinedOutput()
	if err == nil {
		return
	}
	for line := range strings.Lines(string(out)) {
		if line = strings.TrimSpace(line); line != "" && !aboutShadows(line, virtual) {
			t.Errorf("the referee says: %s", line)
		}
	}
}

var shadowTable = regexp.MustCompile(
	`^table (?:extra )?'(\w+)_(?:data|idx|content|docsize|node|parent|rowid)'`,
)

// aboutShadows is true for lines about tables in which FTS5 and rtree keep their indexes: SQLite lays them
// out as it likes. (Their options are not among them.)
func aboutShadows(line string, virtual []string) bool {
	m := shadowTable.FindStringSubmatch(line)
	return m != nil && slices.Contains(virtual, m[1])
}

func wantSound(t *testing.T, path string) {
	t.Helper()
	report, err := preflight.Check(t.Context(), path, wire.DefaultLimits)
	if err != nil || report.Err() != nil {
		t.Errorf("the file that came back could not be moved again: %v %+v", err, report.Findings)
	}
}
