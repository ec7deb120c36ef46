package simulation

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/testkit/docpage"
	"github.com/dbmigrate/dbmigrate/internal/testkit/effort"
)

// lives are how many may pass until one finds that a check is gone: a minute of a machine with two cores and
// nothing else to do.
const lives = 2500

// mutation removes one check from the code. All but those in internal/testkit are the product's own.
type mutation struct{ name, file, old, new string }

const (
	engine = "pkg/migrate/"
	files  = "pkg/userfile/"
	model  = "internal/testkit/world/"
)

// The checks that the model shows to be necessary (docs/cutover/README.md), where the simulation can see
// them.
var mutations = []mutation{
	{
		"the PUT of a fence or a stamp is not conditional",
		files + "replace.go",
		"IfMatch: seen.ETag, IfNoneMatch: seen.Absent,",
		"",
	},
	{
		"a resume keeps the old nonce",
		engine + "fence.go",
		"Lin: state.Lin, Non: m.g.Nonce(), Split",
		"Lin: state.Lin, Non: state.Non, Split",
	},
	{"a newer nonce or stamp stops nobody", files + "version.go", "if f.Newest() <= g {", "if true {"},
	{
		"the stamp is always the same",
		engine + "rollbackput.go",
		"Stamp:      r.g.Stamp(),\n",
		"Stamp: 1,\n",
	},
	{
		"a rollback stamps no file without a fence",
		engine + "rollbacklift.go",
		"\treturn r.restamp(ctx, file)\n}\n\n// liftWithoutStore",
		"\tif !file.Fenced() {\n\t\treturn nil\n\t}\n\treturn r.restamp(ctx, file)\n}\n\n// liftWithoutStore",
	},
	{
		"no second copy when the file changed before the fence",
		engine + "migrate.go",
		"m.file, m.copied = file, nil",
		"m.file = file",
	},
	{
		"activate comes before the fence",
		engine + "migrate.go",
		"err = m.fence(ctx)\n",
		"m.receipt = m.receiptFor(\"\", 0)\n",
	},
	{
		"a resume does not look whether the export is in the file",
		engine + "migrate.go",
		"\treturn nil, m.empty(ctx)\n",
		"\treturn nil, m.activateResumed(ctx)\n",
	},
	{
		"a resume does not fence again",
		engine + "migrate.go",
		"if err := orLookAgain(m.refence(ctx, at.file)); err != nil {",
		"if err := error(nil); err != nil {",
	},
	{
		"a migrate that gives up leaves its fence",
		engine + "recover.go",
		"if !m.fenced && (m.from.fromClean() ||",
		"if true || (m.from.fromClean() ||",
	},
	{
		"a rollback replaces whatever file it finds",
		engine + "steps.go",
		"userfile.RollbackPut:       (*retreat).releaseExported,",
		"userfile.RollbackPut:       (*retreat).bringBack,",
	},
	{
		"a rollback releases before the PUT",
		engine + "rollbackexport.go",
		"if err := orLookAgain(r.putBack(ctx, at.object, at.file)); err != nil {",
		"_, _ = r.Stores.Release(ctx, r.user, r.g)\n\tif err := orLookAgain(r.putBack(ctx, at.object, at.file)); err != nil {",
	},
	{
		"the rollback exports without a seal",
		model + "states.go",
		"return goTo(userdb.Sealed).with(wire.OutcomeExport)",
		"return goTo(s.Phase).with(wire.OutcomeExport)",
	},
	{
		"the object takes writes while it is sealed",
		model + "states.go",
		"return rule{ok: s.is(userdb.Active), to: s.Phase}\n\tcase Read:",
		"return rule{ok: s.is(userdb.Active, userdb.Sealed), to: s.Phase}\n\tcase Read:",
	},
	{"messages do not check the claim", model + "object.go", "if g != o.state.Gen {", "if false {"},
	{"a claim is not compared and set", model + "object.go", "if req.Seen != o.state.Gen {", "if false {"},
	{"a wipe forgets the claims", model + "states.go", "s.Lin = 0\n", "s.Lin, s.Gen = 0, 1\n"},
	{
		"a migrate claim seals nothing and wipes an active object",
		model + "states.go",
		"case s.is(userdb.Active):\n\t\t\treturn keep(s).with(wire.OutcomeActive)",
		"case s.is(userdb.Active):\n\t\t\treturn begin(userdb.Importing).with(wire.OutcomeImport)",
	},
	{
		"the router saves unconditionally",
		model + "router.go",
		"IfMatch:     file.ETag,\n\t\t\tMetadata:    userdb.WithoutContent",
		"Metadata:    userdb.WithoutContent",
	},
	{
		"the router creates a file over another",
		model + "router.go",
		"opts := userdb.PutOptions{IfNoneMatch: file == nil}",
		"opts := userdb.PutOptions{}",
	},
	{
		"the router does not look at the fence",
		model + "router.go",
		"if mark.Kind == userdb.FenceMark {\n\t\tj.copy",
		"if false {\n\t\tj.copy",
	},
	{
		"a sealed answer counts without a second look",
		model + "router.go",
		"mark.Kind == userdb.FenceMark && mark.Lin == got.state.Lin {",
		"mark.Kind < 9 {",
	},
	{
		"a fenced copy counts without a second look",
		model + "router.go",
		"err == nil && file != nil && file.ETag == j.copy.ETag {",
		"err == nil && file != nil {",
	},
	{
		"the router creates a file that is not there",
		model + "router.go",
		"if file == nil {\n\t\tj.missing = true",
		"if false {\n\t\tj.missing = true",
	},
	{
		"an export from before the object was opened again counts",
		files + "version.go",
		"max(st.Lin, userdb.Lineage(st.Opened))",
		"st.Lin",
	},
	{
		"an object that was set back serves",
		model + "disaster.go",
		"if !o.wasSetBack || o.phase() != userdb.Active {",
		"if true {",
	},
	{
		"the Worker's return is not conditional",
		model + "wayback.go",
		"IfMatch:     kept.ETag,\n",
		"",
	},
	{
		"the Worker's return does not compare what the object holds",
		model + "wayback.go",
		"sealed.claimed.Writes != sealed.claimed.WritesAtActivation ||\n\t\t\tsealed.digest.Digest.Database != sealed.claimed.Receipt.Digest.Database {",
		"false {",
	},
	{
		"the Worker's mark is not conditional",
		model + "object.go",
		"IfMatch: seen.ETag, Metadata: meta",
		"Metadata: meta",
	},
	{
		"a birth's fence is not conditional",
		model + "birth.go",
		"opts.IfNoneMatch = seen == nil",
		"opts.IfMatch = \"\"",
	},
	{
		"a birth puts no fence",
		model + "birth.go",
		"_, err := j.World.Bucket.put(key, content, opts)\n\t\treturn err",
		"_, _, _ = key, content, opts\n\t\treturn nil",
	},
	{
		"a birth goes on although its fence was refused",
		model + "birth.go",
		"return \"\", fenceRefused",
		"return etag, fenceStands",
	},
	{
		"any fence is one of a birth",
		model + "birth.go",
		"mark.Non.Claim() <= gen &&\n\t\tisEmptyDatabase(file.body)",
		"mark.Non.Claim() <= gen",
	},
	{
		"no router ends what a birth left open",
		model + "birth.go",
		"return time.Since(j.bearing.since) >= min(birthPatience, j.Deadline/4)",
		"return false",
	},
}

// table has a row for each removed check that was found.
type table struct {
	mu   sync.Mutex
	rows []string
}

func (f *table) add(name, seed string, took time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rows = append(f.rows, fmt.Sprintf("| %s | %s | %.0f |", name, seed, took.Seconds()))
}

// publish writes the table to the page of proofs if the run was whole.
func (f *table) publish(t *testing.T) {
	head := "| removed check | life that found it | seconds, compiling included |\n|---|---|---|\n"
	docpage.Publish(t, "simulation", head+strings.Join(slices.Sorted(slices.Values(f.rows)), "\n"))
}

// TestMutations removes each check from the code and demands that one of so many lives fails.
func TestMutations(t *testing.T) {
	var found table
	t.Cleanup(func() { found.publish(t) })
	removed := map[string]bool{}
	for _, m := range effort.Some(t, "removed checks", mutations, 1) {
		removed[m.name] = true
	}
	for _, m := range mutations { // in any run the table has to follow the code
		t.Run(strings.ReplaceAll(m.name, " ", "-"), func(t *testing.T) {
			overlay := m.overlay(t)
			if removed[m.name] {
				t.Parallel()
				m.run(t, overlay, &found)
			}
		})
	}
}

// overlay writes the mutated file and what tells the compiler to take it.
func (m mutation) overlay(t *testing.T) string {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(root, m.file)
	source, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(source), m.old); n != 1 {
		t.Fatalf("the check stands in %s %d times, not once: the mutation has to follow the code", m.file, n)
	}
	mutated := filepath.Join(t.TempDir(), "mutated.go")
	if err := os.WriteFile(mutated, []byte(strings.Replace(string(source), m.old, m.new, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(map[string]map[string]string{"Replace": {path: mutated}})
	if err != nil {
		t.Fatal(err)
	}
	overlay := filepath.Join(t.TempDir(), "overlay.json")
	if err := os.WriteFile(overlay, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return overlay
}

var brokenBy = regexp.MustCompile(`(?m)^.*seed (\d+): .*`)

func (m mutation) run(t *testing.T, overlay string, table *table) {
	begun := time.Now()
	out, err := exec.Command("go", "test", "-vet=off", "-count=1", "-timeout", "1h", "-overlay", overlay, ".",
		"-run", "TestLives", "-seed", "1", "-seeds", strconv.Itoa(lives)).CombinedOutput()
	if err == nil {
		t.Errorf("%s: none of %d lives found it:\n%s", m.name, lives, out)
		return
	}
	found := brokenBy.FindSubmatch(out)
	if found == nil {
		t.Fatalf("%s: %s", m.name, out)
	}
	table.add(m.name, string(found[1]), time.Since(begun))
	t.Logf("%s", bytes.TrimSpace(found[0]))
}
