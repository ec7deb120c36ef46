package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestParseReport(t *testing.T) {
	const counted = "State-vector 116 byte, depth reached 42, errors: %\n    33793 states, stored\n"
	report := func(errors string) string { return strings.Replace(counted, "%", errors, 1) }
	for _, c := range []struct {
		name, report string
		complete     bool
		violated     string
		fails        bool
	}{
		{"complete", "(Spin Version 6.5.2)\n" + report("0"), true, "", false},
		{"violated", "pan:1: assertion violated  !(LOSS) (at depth 90)\nWarning: Search not completed\n" + report("1"), false, "LOSS", false},
		{"deadlock", "pan:1: invalid end state (at depth 9)\nWarning: Search not completed\n" + report("1"), false, "", true},
		{"out of memory", "pan: reached -DMEMLIM bound\nWarning: Search not completed\n" + report("0"), false, "", false},
		{"too deep", "error: max search depth too small\n" + report("0"), false, "", false},
		{"killed", "(Spin Version 6.5.2)\n", false, "", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := parseReport(c.report)
			if r.complete != c.complete || r.violated != c.violated || (r.err != nil) != c.fails {
				t.Errorf("complete %v, violated %q, error %v", r.complete, r.violated, r.err)
			}
			if !c.fails && r.states != 33793 {
				t.Errorf("%v states", r.states)
			}
		})
	}
}

func TestFault(t *testing.T) {
	clean, mutation := search{}, search{breaks: "LOSS"}
	for _, c := range []struct {
		name  string
		s     search
		r     result
		fault string
	}{
		{"complete and clean", clean, result{complete: true}, ""},
		{"not complete", clean, result{}, "NOT COMPLETE"},
		{"violated", clean, result{violated: "SPLIT"}, "VIOLATED SPLIT"},
		{"mutation found", mutation, result{violated: "LOSS"}, ""},
		{"mutation not found", mutation, result{complete: true}, "NO COUNTEREXAMPLE"},
		{"mutation not searched to the end", mutation, result{}, "NO COUNTEREXAMPLE"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := c.r.fault(c.s); got != c.fault {
				t.Errorf("got %q, want %q", got, c.fault)
			}
		})
	}
}

// A check that nobody removes is a check that nobody has shown to be needed.
func TestEveryCheckIsRemovedOnce(t *testing.T) {
	source, err := os.ReadFile("../../docs/cutover/model/checks.pml")
	if err != nil {
		t.Fatal(err)
	}
	removed := map[string]bool{}
	for _, m := range mutations {
		removed[strings.TrimSuffix(m.config[0], "=1")] = true
	}
	names := regexp.MustCompile(`(?m)^#ifndef (\w+)`).FindAllStringSubmatch(string(source), -1)
	if len(names) == 0 {
		t.Fatal("checks.pml names no checks")
	}
	for _, m := range names {
		_, second := secondLines[m[1]]
		if removed[m[1]] == second {
			t.Errorf("%s: removed by a mutation %v, named as a second line %v", m[1], removed[m[1]], second)
		}
		delete(removed, m[1])
	}
	for name := range removed {
		t.Errorf("%s is removed, but checks.pml does not have it", name)
	}
}

func TestNamesAreUnique(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range append(slices.Clone(searches), mutations...) {
		if seen[s.name] {
			t.Errorf("two are called %s", s.name)
		}
		seen[s.name] = true
	}
}

func TestParseTransitions(t *testing.T) {
	got, err := parseTransitions("EMPTY claim-migrate IMPORTING\nEMPTY rows refused\n")
	if err != nil || got["EMPTY"]["claim-migrate"] != "IMPORTING" || got["EMPTY"]["rows"] != "refused" {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := parseTransitions("spin: error, line 3\n"); err == nil {
		t.Error("what is no table was taken for one")
	}
}

// The tests in Go and TypeScript hold the code against transitions.json, so that has to be what the Promela
// says.
func TestTransitionsAreTheModels(t *testing.T) {
	if _, err := exec.LookPath("spin"); err != nil {
		t.Fatalf("%v: scripts/model/setup.sh installs it (make setup runs that)", err)
	}
	t.Chdir("../..")
	if err := transitions(t.Context(), false); err != nil {
		t.Error(err)
	}
}

func TestPublish(t *testing.T) {
	page := filepath.Join(t.TempDir(), "page.md")
	empty := func(name string) string { return "<!-- proof:" + name + " -->\nold\n<!-- end -->\n" }
	if err := os.WriteFile(page, []byte(empty("searches")+empty("searches-full")+empty("mutations")), 0o600); err != nil {
		t.Fatal(err)
	}
	searches := []finding{
		{search{name: "small", what: "a world"}, result{states: 1234567, complete: true}},
		{search{name: "large", size: full}, result{states: 999, complete: true}},
	}
	mutations := []finding{{search{name: "NO_FENCE", breaks: "LOSS"}, result{states: 1000, violated: "LOSS"}}}
	if err := publish(options{doc: page, full: true}, searches, mutations); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"| `small` | a world | 1,234,567 | yes |", "| `large` |  | 999 | yes |", "| `NO_FENCE` |  | LOSS | 1,000 states |"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("%s is not in\n%s", want, text)
		}
	}
	if strings.Contains(string(text), "old") {
		t.Errorf("something old is left:\n%s", text)
	}
	if publish(options{doc: page, quick: true}, searches, mutations) == nil {
		t.Error("a quick run wrote the page")
	}
}
