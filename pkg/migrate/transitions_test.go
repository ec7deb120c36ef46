package migrate

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"reflect"
	"slices"
	"strconv"
	"testing"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/userfile"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

const refused = "refused"

// model is phase -> message -> next phase, derived from the Promela (docs/cutover/transitions.json).
// worker/test/store/transitions.test.ts holds the Durable Object against the same file.
func model(t *testing.T) map[string]map[string]string {
	t.Helper()
	text, err := os.ReadFile("../../docs/cutover/transitions.json")
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]map[string]string
	if err := json.Unmarshal(text, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

func TestPhasesAreTheModels(t *testing.T) {
	got, want := declaredPhases(t), slices.Sorted(maps.Keys(model(t)))
	if !slices.Equal(got, want) {
		t.Errorf("pkg/userdb/phase.go declares %v, the model has %v", got, want)
	}
}

// declaredPhases reads the constants of userdb.Phase from their source: a phase that is added there and not
// in the model has to be seen.
func declaredPhases(t *testing.T) []string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "../userdb/phase.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var phases []string
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if kind, ok := spec.Type.(*ast.Ident); ok && kind.Name == "Phase" {
			value, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			phases = append(phases, value)
		}
		return true
	})
	slices.Sort(phases)
	return phases
}

// sentAs is which of the model's messages each of the engine's calls is. Status asks for the state itself.
var sentAs = map[string][]string{
	"Status": nil,
	"Thaws":  nil, // reads what the application has noted, which no rule of the protocol asks for
	"Claim":  {"claim-migrate", "claim-rollback", "claim-split", "claim-conflict"},
	"Reset": {
		"reset",
		"reset-under-rollback",
		"reset-under-split",
		"reset-again-under-split",
		"stale-claim",
	},
	"Schema":       {"schema"},
	"Rows":         {"rows"},
	"Finish":       {"finish"},
	"Digest":       {"digest"},
	"FreshDigest":  {"digest"},
	"Range":        {"digest"},
	"Ready":        {"ready", "ready-other-digest"},
	"Activate":     {"activate", "activate-under-rollback", "activate-under-split"},
	"ExportSchema": {"export"},
	"ExportRows":   {"export"},
	"Release":      {"release", "release-under-rollback", "release-under-split"},
	"Merge":        {"merge", "merge-under-rollback", "merge-under-split"},
}

// The application's messages do not come from the engine.
var applications = []string{"read", "write", "cold-read", "cold-write"}

func TestEveryCallIsModelled(t *testing.T) {
	stores := reflect.TypeFor[Stores]()
	known := slices.Clone(applications)
	for i := range stores.NumMethod() {
		messages, ok := sentAs[stores.Method(i).Name]
		if !ok {
			t.Errorf("the engine calls %s, which is no message of the model", stores.Method(i).Name)
		}
		known = append(known, messages...)
	}
	slices.Sort(known)
	known = slices.Compact(known)
	for phase, row := range model(t) {
		if messages := slices.Sorted(maps.Keys(row)); !slices.Equal(messages, known) {
			t.Errorf("%s: the model has the messages %v, the engine sends %v", phase, messages, known)
		}
	}
}

// stepsOf are the single calls that each composite request is. The model sends them one after the other; what
// is none of Stores is the file's.
var stepsOf = map[string][]string{
	"Import": {"Claim", "look", "Schema", "Rows", "Finish", "Digest"},
	"Switch": {"Mark", "Ready", "Activate", "put receipt", "look"},
	"Return": {"look", "Claim", "FreshDigest", "put", "look", "Release"},
	"Export": {"look", "Claim", "FreshDigest", "ExportSchema", "ExportRows"},
}

func TestEveryCompositeIsOfModelledCalls(t *testing.T) {
	composites, markers := reflect.TypeFor[Composites](), reflect.TypeFor[Marker]()
	for i := range composites.NumMethod() {
		name := composites.Method(i).Name
		if len(stepsOf[name]) == 0 {
			t.Errorf("the composite %s is of no calls of the model", name)
		}
		for _, step := range stepsOf[name] {
			_, modelled := sentAs[step]
			if _, marks := markers.MethodByName(step); !modelled && !marks && token.IsExported(step) {
				t.Errorf("%s: the step %s is no call of the model", name, step)
			}
		}
	}
}

// TestJudgeFollowsTheModel: the server that status names follows from the phases in which the model's object
// takes writes.
func TestJudgeFollowsTheModel(t *testing.T) {
	const lin, gen = 2, 3
	fenced := userfile.Version{
		Mark: userdb.Mark{Kind: userdb.FenceMark, Lin: lin, Non: lin},
		What: userdb.SQLiteFile,
	}
	stamped := userfile.Version{
		Mark: userdb.Mark{Kind: userdb.StampMark, Stamp: gen},
		What: userdb.SQLiteFile,
	}
	for phase, row := range model(t) {
		takesWrites := row["write"] != refused
		st := wire.Status{Phase: userdb.Phase(phase), Lin: lin, Gen: gen}
		if st.Phase.Split() {
			serves, problem, _ := userfile.Serves(st, stamped)
			if st.Phase == userdb.Merging && serves != userfile.SideFile {
				t.Errorf("MERGING, and the whole file is in place: served by %s", serves)
			}
			takesCold := row["cold-write"] != refused
			if takesWrites || serves == userfile.SideObject ||
				(serves == userfile.SideSplit && problem == "") != takesCold {
				t.Errorf(
					"%s, unfenced: served by %s (%s), and the model's object takes writes of cold rows: %v",
					phase,
					serves,
					problem,
					takesCold,
				)
			}
			continue
		}
		serves, problem, _ := userfile.Serves(st, fenced)
		if (serves == userfile.SideObject) != takesWrites || (problem == "") != takesWrites {
			t.Errorf(
				"%s, fenced: served by %s (%s), and the model's object takes writes: %v",
				phase,
				serves,
				problem,
				takesWrites,
			)
		}
		serves, problem, _ = userfile.Serves(st, stamped)
		if (serves == userfile.SideFile) == takesWrites || takesWrites && problem == "" {
			t.Errorf(
				"%s, unfenced: served by %s (%s), and the model's object takes writes: %v",
				phase,
				serves,
				problem,
				takesWrites,
			)
		}
	}
}
