package main

import (
	"os"
	"os/exec"
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

// The tests in Go and TypeScript hold the code against transitions.json, so that has to be what the Promela says.
func TestTransitionsAreTheModels(t *testing.T) {
	if _, err := exec.LookPath("spin"); err != nil {
		t.Fatalf("%v: scripts/model/setup.sh installs it (make setup runs that)", err)
	}
	t.Chdir("../..")
	if err := transitions(t.Context(), false); err != nil {
		t.Error(err)
	}
}
