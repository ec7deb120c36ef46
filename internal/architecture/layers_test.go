// Package architecture holds the layers of docs/architecture.md.
package architecture

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/dbmigrate/dbmigrate/"

// mayImport lists, for each package, the packages of ours that it may reach, directly or not.
var mayImport = map[string][]string{
	"pkg/userdb":                  nil,
	"pkg/wire":                    {"pkg/userdb"},
	"pkg/sqlitefile":              {"pkg/userdb", "pkg/wire", "internal/capi"},
	"pkg/split":                   {"pkg/userdb", "pkg/wire", "pkg/sqlitefile", "internal/capi", "internal/nearest"},
	"pkg/verify":                  {"pkg/userdb", "pkg/wire"},
	"pkg/r2":                      {"pkg/userdb"},
	"pkg/kv":                      {"pkg/userdb"},
	"pkg/doclient":                {"pkg/userdb", "pkg/wire"},
	"pkg/result":                  {"pkg/userdb", "pkg/wire", "pkg/sqlitefile", "internal/capi"},
	"pkg/userfile":                {"internal/reserved", "pkg/result", "pkg/userdb", "pkg/wire", "pkg/sqlitefile", "internal/capi"},
	"internal/reserved":           {"pkg/userdb"},
	"pkg/inspect":                 {"pkg/userfile", "internal/reserved", "pkg/result", "pkg/userdb", "pkg/wire", "pkg/sqlitefile", "internal/capi", "pkg/verify", "pkg/split", "internal/nearest", "internal/units"},
	"pkg/gc":                      {"internal/parallel", "pkg/inspect", "pkg/userfile", "internal/reserved", "pkg/result", "pkg/userdb", "pkg/wire", "pkg/sqlitefile", "internal/capi", "pkg/verify", "pkg/split", "internal/nearest", "internal/units"},
	"pkg/quarantine":              {"pkg/inspect", "pkg/userfile", "internal/reserved", "pkg/result", "pkg/userdb", "pkg/wire", "pkg/sqlitefile", "internal/capi", "pkg/verify", "pkg/split", "internal/nearest", "internal/units"},
	"pkg/migrate":                 {"internal/parallel", "pkg/inspect", "pkg/gc", "pkg/quarantine", "pkg/userfile", "internal/reserved", "pkg/result", "pkg/userdb", "pkg/wire", "pkg/sqlitefile", "pkg/split", "internal/capi", "internal/nearest", "pkg/verify", "internal/units"},
	"pkg/report":                  {"internal/parallel", "pkg/inspect", "pkg/gc", "pkg/quarantine", "pkg/userfile", "internal/reserved", "pkg/result", "internal/plain", "pkg/userdb", "pkg/wire", "pkg/sqlitefile", "pkg/split", "internal/capi", "internal/nearest", "pkg/verify", "pkg/migrate", "internal/units"},
	"internal/cost":               nil,
	"internal/checker":            {"pkg/userdb", "pkg/wire", "pkg/sqlitefile", "internal/capi"},
	"internal/scanlog":            {"pkg/userdb"},
	"internal/htmlreport":         {"internal/plain"},
	"internal/plain":              nil,
	"internal/testkit/stack":      nil,
	"internal/testkit/faultproxy": nil,
	"internal/units":              nil,
	"internal/scratch":            nil,
	"internal/metrics":            {"pkg/userdb"},
	"internal/parallel":           {"pkg/userdb"},
	"internal/nearest":            nil,
	"internal/record":             {"pkg/userdb"},
}

func TestLayers(t *testing.T) {
	for pkg, allowed := range mayImport {
		t.Run(pkg, func(t *testing.T) {
			out, err := exec.Command("go", "list", "-deps", module+pkg).CombinedOutput()
			if err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			for dep := range strings.Lines(string(out)) {
				ours, found := strings.CutPrefix(strings.TrimSpace(dep), module)
				if found && ours != pkg && !slices.Contains(allowed, ours) {
					t.Errorf("%s reaches %s", pkg, ours)
				}
			}
		})
	}
}

// TestCloudflareSDKStaysSmall: the SDK's root package costs minutes of compiling and doubles the binary.
func TestCloudflareSDKStaysSmall(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", module+"cmd/dbmigrate").CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for dep := range strings.Lines(string(out)) {
		if strings.TrimSpace(dep) == "github.com/cloudflare/cloudflare-go/v7" {
			t.Error("the root package of cloudflare-go is linked in")
		}
	}
}
