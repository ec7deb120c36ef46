package architecture

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// A rule says who may import a package, and who besides in test files. Prefixes name packages, ours without
// the module; an empty list is nobody.
type rule struct {
	imported string
	by       []string
	tests    []string
	reason   string
}

// everybody stands in place of a prefix.
const everybody = "*"

// forbidden are imports that a reader would not see as mistakes. Staticcheck (staticcheck.conf) has the rest.
var forbidden = []rule{
	{"math/rand", nil, nil, "math/rand/v2 has no global seed to forget"},
	{"log", nil, []string{"internal/doctor"}, "stderr has lines of one form, which package main writes"},
	{"log/slog", nil, nil, "stderr has lines of one form, which package main writes"},
	{"io/ioutil", nil, nil, "os and io have all of it"},
	{"expvar", nil, nil, "it serves on the default mux; --metrics-file is how metrics leave"},
	{"net/http/pprof", nil, nil, "it serves on the default mux"},
	{"unsafe", []string{"internal/capi"}, nil, "one package talks to SQLite's C functions"},
	{
		"os/exec",
		[]string{"internal/sandbox", "internal/localruntime", "internal/pager", "internal/testkit/", "scripts/", "test/race"},
		[]string{everybody},
		"the program starts only its own sandbox, the pager of the person at the terminal, and wrangler and a command for `dbmigrate dev`",
	},
	{
		"crypto/md5",
		[]string{"pkg/r2", "pkg/userfile", "internal/selftest", "internal/testkit/", "scripts/"},
		[]string{"cmd/dbmigrate", "pkg/migrate", "test/"},
		"only R2's ETags are MD5; what is proved is SHA-256",
	},
	{"testing", []string{"internal/testkit/", "test/"}, []string{everybody}, "the program must not link it"},
	{
		module + "internal/testkit",
		[]string{"internal/testkit/", "scripts/", "test/"},
		[]string{everybody},
		"the program must not link what tests share",
	},
	{
		module + "test",
		[]string{"scripts/soak", "test/"},
		[]string{"pkg/preflight", "pkg/split"},
		"what others use lies in internal/testkit; these two read the corpus",
	},
	{module + "cmd", nil, nil, "package main is the end"},
	{
		"github.com/cloudflare/cloudflare-go/v7",
		nil,
		nil,
		"its root package costs minutes of compiling and doubles the binary: import the parts",
	},
}

// exact are imports that mean only the package itself, and not what lies below it.
var exact = map[string]bool{
	"math/rand":                              true,
	"log":                                    true,
	"testing":                                true,
	"github.com/cloudflare/cloudflare-go/v7": true,
}

func (r rule) isAbout(imported string) bool {
	return imported == r.imported || !exact[r.imported] && strings.HasPrefix(imported, r.imported+"/")
}

func (r rule) allows(importer string, inTests bool) bool {
	may := r.by
	if inTests {
		may = slices.Concat(r.by, r.tests)
	}
	return slices.ContainsFunc(may, func(prefix string) bool {
		return prefix == everybody || strings.HasPrefix(importer+"/", strings.TrimSuffix(prefix, "/")+"/")
	})
}

// TestForbiddenImports reads every package of the module, those of scripts and test among them, with its test
// files.
func TestForbiddenImports(t *testing.T) {
	format := `{{$p := .ImportPath}}{{range .Imports}}{{$p}} {{.}}{{"\n"}}{{end}}` +
		`{{range .TestImports}}{{$p}} {{.}} tests{{"\n"}}{{end}}{{range .XTestImports}}{{$p}} {{.}} tests{{"\n"}}{{end}}`
	out, err := exec.Command("go", "list", "-f", format, module+"...").CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for line := range strings.Lines(string(out)) {
		words := strings.Fields(line)
		if len(words) < 2 {
			continue
		}
		importer, imported, inTests := strings.TrimPrefix(words[0], module), words[1], len(words) > 2
		for _, r := range forbidden {
			if r.isAbout(imported) && !r.allows(importer, inTests) {
				t.Errorf("%s imports %s (in tests: %t): %s", importer, imported, inTests, r.reason)
			}
		}
	}
}
