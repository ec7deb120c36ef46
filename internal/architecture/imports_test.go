package architecture

import (
	"os/exec"
	"strings"
	"testing"
)

// A rule says who may import a package. Prefixes name packages, ours without the module; an empty list is
// nobody.
type rule struct {
	imported string
	by       []string
	reason   string
}

// forbidden are imports that a reader would not see as mistakes. Staticcheck (staticcheck.conf) has the rest.
var forbidden = []rule{
	{"math/rand", nil, "math/rand/v2 has no global seed to forget"},
	{"log", nil, "stderr has lines of one form, which package main writes"},
	{"log/slog", nil, "stderr has lines of one form, which package main writes"},
	{"io/ioutil", nil, "os and io have all of it"},
	{"expvar", nil, "it serves on the default mux; --metrics-file is how metrics leave"},
	{"net/http/pprof", nil, "it serves on the default mux"},
	{"unsafe", []string{"internal/capi"}, "one package talks to SQLite's C functions"},
	{
		"os/exec",
		[]string{"internal/sandbox", "internal/localruntime", "internal/pager", "internal/testkit/", "scripts/"},
		"the program starts only its own sandbox, the pager of the person at the terminal, and wrangler and a command for `dbmigrate dev`",
	},
	{
		"crypto/md5",
		[]string{"pkg/r2", "pkg/userfile", "internal/selftest", "internal/testkit/", "scripts/"},
		"only R2's ETags are MD5; what is proved is SHA-256",
	},
	{"testing", []string{"internal/testkit/", "test/"}, "the program must not link it"},
	{
		module + "internal/testkit",
		[]string{"internal/testkit/", "scripts/", "test/"},
		"the program must not link what tests share",
	},
	{module + "test", []string{"scripts/soak", "test/"}, "what others use lies in internal/testkit"},
	{module + "cmd", nil, "package main is the end"},
	{
		"github.com/cloudflare/cloudflare-go/v7",
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

func (r rule) allows(importer string) bool {
	for _, prefix := range r.by {
		if strings.HasPrefix(importer+"/", strings.TrimSuffix(prefix, "/")+"/") {
			return true
		}
	}
	return false
}

func TestForbiddenImports(t *testing.T) {
	format := `{{$p := .ImportPath}}{{range .Imports}}{{$p}} {{.}}{{"\n"}}{{end}}`
	out, err := exec.Command("go", "list", "-f", format, module+"...").CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for line := range strings.Lines(string(out)) {
		importer, imported, found := strings.Cut(strings.TrimSpace(line), " ")
		importer = strings.TrimPrefix(importer, module)
		for _, r := range forbidden {
			if found && r.isAbout(imported) && !r.allows(importer) {
				t.Errorf("%s imports %s: %s", importer, imported, r.reason)
			}
		}
	}
}
