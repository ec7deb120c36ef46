package architecture

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/dbmigrate/dbmigrate/internal/testkit/effort"
)

// The tests have two tiers: `make test` does a part of each large proof, `make proof` all of it
// (internal/testkit/effort). These tests see to it that nothing is in neither.

const root = "../.."

// TestEveryTestIsInBothTiers: both run all packages of all modules, without a filter, so that only effort
// leaves anything out, and says so.
func TestEveryTestIsInBothTiers(t *testing.T) {
	for _, tier := range []string{"test", "proof"} {
		recipe := recipeOf(t, tier)
		for _, module := range filesNamed(t, "go.mod") {
			runs := `exec bin/gotest .*\./\.\.\.`
			if dir := filepath.Dir(module); dir != "." {
				runs = `cd ` + regexp.QuoteMeta(dir) + ` && go test \./\.\.\.`
			}
			if !regexp.MustCompile(runs).MatchString(recipe) {
				t.Errorf("make %s does not run all packages of %s:\n%s", tier, module, recipe)
			}
		}
		if regexp.MustCompile(`gotest.* -(run|skip|short)`).MatchString(recipe) {
			t.Errorf("make %s leaves tests out by a filter:\n%s", tier, recipe)
		}
		if !strings.Contains(recipe, "vitest.mjs run\n") {
			t.Errorf("make %s does not run the Worker's tests:\n%s", tier, recipe)
		}
		if !strings.Contains(recipe, "test/fuzz/run.ts") {
			t.Errorf("make %s does not run the fuzzer of the Worker's decoders:\n%s", tier, recipe)
		}
	}
}

// TestProofIsWhole: what `make test` does in small, or not at all.
func TestProofIsWhole(t *testing.T) {
	recipe := recipeOf(t, "proof")
	for _, part := range []string{"DBMIGRATE_EFFORT=whole", "scripts/model/run.sh -doc", "scripts/fuzz/fuzz.sh", "test/fuzz/run.ts", "test-browser/*.test.mjs", "scripts/soak"} {
		if !strings.Contains(recipe, part) {
			t.Errorf("make proof does not run %s:\n%s", part, recipe)
		}
	}
}

// recipeOf is what make would do, that of its own calls of make included.
func recipeOf(t *testing.T, target string) string {
	t.Helper()
	cmd := exec.Command("make", "--dry-run", "--no-print-directory", target)
	cmd.Dir = root
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("make -n %s: %v\n%s", target, err, out)
	}
	return string(out)
}

// TestTurn: the number of the commit on the main line chooses the part, or the day where there is none.
func TestTurn(t *testing.T) {
	home := t.TempDir()
	full := filepath.Join(home, "full")
	git := func(dir string, args ...string) { t.Helper(); gitIn(t, home, dir, args...) }
	commit := func(what string) { git(full, "commit", "--quiet", "--allow-empty", "--message", what) }
	git(home, "init", "--quiet", "--initial-branch", "main", full)
	commit("1")
	git(full, "switch", "--quiet", "--create", "side")
	commit("aside")
	git(full, "switch", "--quiet", "main")
	commit("2")
	git(full, "merge", "--quiet", "--no-ff", "--message", "3", "side")
	git(home, "clone", "--quiet", "--depth", "1", "file://"+full, "shallow")
	git(home, "init", "--quiet", "empty")
	for dir, want := range map[string]string{"full": "3", "shallow": "", "empty": "", ".": ""} {
		if got := variableIn(t, home, filepath.Join(home, dir), effort.Variable); got != want {
			t.Errorf("in %s, %s is %q, not %q", dir, effort.Variable, got, want)
		}
	}
}

// TestChanged: what the last three commits and the working tree changed, new files and removed ones included.
func TestChanged(t *testing.T) {
	home := t.TempDir()
	dir := filepath.Join(home, "repo")
	write := func(name string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	git := func(args ...string) { t.Helper(); gitIn(t, home, dir, args...) }
	changed := func() string { t.Helper(); return variableIn(t, home, dir, effort.Changed) }
	gitIn(t, home, home, "init", "--quiet", dir)
	if got := changed(); got != "" {
		t.Errorf("nothing is there, and %q changed", got)
	}
	for _, name := range []string{"old", "gone", "second", "third", "last"} {
		write(name)
		git("add", name)
		git("commit", "--quiet", "--message", name)
		if name == "old" {
			write("new")
			if got := changed(); got != "new" {
				t.Errorf("after the first commit, %q changed", got)
			}
		}
	}
	git("rm", "--quiet", "gone")
	if got := changed(); got != "gone last second third new" {
		t.Errorf("%q changed", got)
	}
}

// TestWhatTakesTurnsIsThere: the packages, and the tests. No other test has their
// names, which `go test -skip` goes by.
func TestWhatTakesTurnsIsThere(t *testing.T) {
	taken, repo := map[string]bool{}, os.DirFS(root)
	for _, one := range slices.Concat(effort.ByTurn()...) {
		dir, test, isTest := strings.Cut(one, " ")
		if taken[dir] || taken[one] {
			t.Errorf("%s takes two turns", one)
		}
		taken[one] = true
		var found []string
		for _, file := range filesNamed(t, "*_test.go") {
			declares, err := effort.Declares(repo, file, test)
			if err != nil {
				t.Fatal(err)
			}
			if isTest && declares || !isTest && filepath.Dir(file) == dir {
				found = append(found, file)
			}
		}
		if len(found) == 0 || isTest && (len(found) > 1 || filepath.Dir(found[0]) != dir) {
			t.Errorf("%s takes turns, and is in %q", one, found)
		}
	}
}

func gitIn(t *testing.T, home, dir string, args ...string) {
	t.Helper()
	cmd := exec.Command("git", append([]string{"-c", "user.name=t", "-c", "user.email=t@example.com"}, args...)...)
	cmd.Dir, cmd.Env = dir, outside(home)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("git %q: %v\n%s", args, err, out)
	}
}

// variableIn is what the Makefile chooses in another folder.
func variableIn(t *testing.T, home, dir, variable string) string {
	t.Helper()
	here, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	show := filepath.Join(home, "show.mk")
	if err := os.WriteFile(show, []byte("show:\n\t@echo \"$("+variable+")\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("make", "-I", here, "-f", filepath.Join(here, "Makefile"), "-f", show, "show")
	cmd.Dir, cmd.Env = dir, outside(home)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("make: %v\n%s", err, out)
	}
	return strings.TrimSpace(string(out))
}

// outside is an environment in which neither this run of make nor this repository shows.
func outside(home string) []string {
	kept := slices.DeleteFunc(os.Environ(), func(entry string) bool {
		return strings.HasPrefix(entry, "MAKE") || strings.HasPrefix(entry, "MFLAGS") ||
			strings.HasPrefix(entry, "GIT_") || strings.HasPrefix(entry, "DBMIGRATE_")
	})
	return append(kept, "HOME="+home, "GIT_CONFIG_NOSYSTEM=1", "GIT_CEILING_DIRECTORIES="+filepath.Dir(home))
}

// leavesOut is what a test uses to leave something out. Only effort does, which says what and how much.
var leavesOut = []struct{ files, code string }{
	{`_test\.go$`, `\.(Skip|SkipNow|Skipf)\(`},
	{`_test\.go$`, `testing\.Short\(`},
	{`_test\.go$`, `(?m)^//go:build`},
	{`\.go$`, `"DBMIGRATE_EFFORT"`},
	{`^worker/test.*\.m?ts$`, `\.(skip|only|todo|skipIf|runIf|fails)\b`},
	{`^worker/(test|vitest).*\.m?[jt]s$`, `env\["DBMIGRATE_EFFORT"\]`},
}

// mayLeaveOut are the files that may, and why.
var mayLeaveOut = map[string]string{
	"internal/testkit/effort/effort.go":   "this is the switch",
	"worker/vitest.config.ts":             "this is the Worker's switch",
	"internal/architecture/tiers_test.go": "it names what it looks for",
}

func TestOnlyEffortLeavesOut(t *testing.T) {
	for _, path := range filesNamed(t, "*") {
		for _, rule := range leavesOut {
			if mayLeaveOut[path] != "" || !regexp.MustCompile(rule.files).MatchString(path) {
				continue
			}
			text, err := os.ReadFile(filepath.Join(root, path))
			if err != nil {
				t.Fatal(err)
			}
			if found := regexp.MustCompile(rule.code).Find(text); found != nil {
				t.Errorf(
					"%s has %s: a test that does less goes through internal/testkit/effort or worker/test/effort.ts",
					path,
					found,
				)
			}
		}
	}
}

// TestEveryTestOfTheWorkerIsInAProject: vitest runs only the folders that its configuration names.
func TestEveryTestOfTheWorkerIsInAProject(t *testing.T) {
	config, err := os.ReadFile(filepath.Join(root, "worker/vitest.config.ts"))
	if err != nil {
		t.Fatal(err)
	}
	var named []string
	for _, include := range regexp.MustCompile(`"test/([\w{},-]+)/\*\*/\*\.test\.ts"`).FindAllStringSubmatch(string(config), -1) {
		named = append(named, strings.Split(strings.Trim(include[1], "{}"), ",")...)
	}
	for _, path := range filesNamed(t, "worker/*.test.ts") {
		folder, found := strings.CutPrefix(path, "worker/test/")
		folder, _, _ = strings.Cut(folder, "/")
		if !found || !slices.Contains(named, folder) {
			t.Errorf("%s is in no project of vitest.config.ts, which names %q", path, named)
		}
	}
}

// filesNamed are the files under version control, and new ones, with names that fit.
func filesNamed(t *testing.T, pattern string) []string {
	t.Helper()
	cmd := exec.Command(
		"git",
		"ls-files",
		"--cached",
		"--others",
		"--exclude-standard",
		"--deduplicate",
		"--",
		pattern,
		"*/"+pattern,
	)
	cmd.Dir = root
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("list the files: this test needs git and a clone of the repository: %v", err)
	}
	var there []string
	for _, path := range strings.Fields(string(out)) {
		if info, err := os.Lstat(filepath.Join(root, path)); err == nil &&
			info.Mode().IsRegular() { // not one that is about to be removed
			there = append(there, path)
		}
	}
	if len(there) == 0 {
		t.Fatalf("no file is named %s", pattern)
	}
	return there
}
