package main

import (
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// asksNobody are the commands without a row in docs/outages.md, and why.
var asksNobody = map[string]string{
	"init":       "it writes a file, and reads none but the project's",
	"dev":        "it runs services of its own",
	"version":    "it knows its own",
	"completion": "it prints a script",
	"man":        "it prints pages",
	"connection": "it is a page of help",
}

const (
	whichUsers = "it says which users: the row of --all has the same requests"
	howFast    = "it says how fast and how far: the requests are the same"
	whatShows  = "it says what is written down or shown"
	// behindTheFirst is said of selftest.
	behindTheFirst = "it says what is tried behind the first requests, with which it ends where a service is down"
	goesOn         = "more users of the same kind, with looks between them that are verify's"
)

// noRow are the flags without a row, and why the rows of their command hold for them.
var noRow = map[string]string{
	"exclude": whichUsers, "over": whichUsers, "percent": whichUsers, "prefix": whichUsers, "shard": whichUsers,
	"users-file": whichUsers, "all": whichUsers, "retry-quarantined": whichUsers, "older-than": whichUsers,
	"concurrency": howFast, "max-duration": howFast, "max-failures": howFast, "max-cost": howFast,
	"give-up-after": "it says how long a service is waited for, after three users in a row have met what the row says",
	"max-delete":    howFast, "limit": howFast, "hellos": howFast, "watch": howFast, "longest-request": howFast,
	"recommend-over": whatShows,
	"metrics-file":   whatShows, "reason": whatShows, "report": whatShows, "show": whatShows, "hold": whatShows, "top": whatShows,
	"history": whatShows, "consistent": whatShows, "requests-per-day": whatShows, "writes-share": whatShows,
	"writers": "it says how long to wait",
	"canary":  goesOn, "canary-pause": goesOn, "waves": goesOn, "gate-failures": goesOn, "rollback-on-gate": goesOn,
	"run":            "it reads a record in R2 first; then the users are as if they were named",
	"policy":         "a file of the operator's: the requests are those of scan --deep and --mode split",
	"archive-prefix": "a PUT more, to R2, before the others",
	"without-copy":   "a PUT less, to R2",
	"prefer":         "it says which row counts where both sides have it: the requests are the same",
	"try-merge":      "it reads both sides of split users: the row of --all says what happens without one",
	"stay-in-r2":     "the first half of what restore does",
	"requests":       whatShows,
	"probes":         behindTheFirst, "only": behindTheFirst,
	"clean":   "it ends behind the requests with which every selftest begins",
	"objects": "a listing more, of the Cloudflare API: without it the checks that need it fail, and no other",
	"to":      whatShows,
}

// TestEveryCommandHasRowsForOutages: what a command does when a service is down is promised in
// docs/outages.md, and test/faults tries each row. A new command or flag belongs there, or into one of the
// lists above.
func TestEveryCommandHasRowsForOutages(t *testing.T) {
	rows := outageRows(t)
	used := map[string]bool{}
	for _, cmd := range newRoot(&app{}).Commands() {
		name := cmd.Name()
		if asksNobody[name] != "" {
			used[name] = true
			if rows[name] != nil {
				t.Errorf("%s asks nobody, and has rows", name)
			}
			continue
		}
		for _, service := range []string{"R2", "Cloudflare API", "Worker"} {
			if !slices.ContainsFunc(rows[name], func(r outageRow) bool { return r.service == service }) {
				t.Errorf("docs/outages.md does not say what %s does when %s is down", name, service)
			}
		}
		for _, flag := range flagsOf(cmd) {
			shown := slices.ContainsFunc(rows[name], func(r outageRow) bool { return r.flags["--"+flag] })
			key := name + " --" + flag
			if noRow[key] == "" {
				key = flag
			}
			if noRow[key] == "" && !shown {
				t.Errorf("docs/outages.md has no row with %s --%s, and no list says why", name, flag)
			}
			used[key] = used[key] || noRow[key] != ""
		}
	}
	for _, list := range []map[string]string{asksNobody, noRow} {
		for name := range maps.Keys(list) {
			if !used[name] {
				t.Errorf("%s is in a list, and there is none", name)
			}
		}
	}
}

func flagsOf(cmd *cobra.Command) []string {
	var names []string
	cmd.LocalNonPersistentFlags().VisitAll(func(f *pflag.Flag) {
		if f.Name != "help" && !f.Hidden {
			names = append(names, f.Name)
		}
	})
	return names
}

type outageRow struct {
	flags   map[string]bool
	service string
}

// outageRows are the rows of each command: one row may name several.
func outageRows(t *testing.T) map[string][]outageRow {
	t.Helper()
	page, err := os.ReadFile("../../docs/outages.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string][]outageRow{}
	for line := range strings.Lines(string(page)) {
		cells := strings.Split(line, " | ")
		if !strings.HasPrefix(cells[0], "| `") || len(cells) < 3 {
			continue
		}
		for _, command := range codeSpans.FindAllStringSubmatch(cells[0], -1) {
			words := strings.Fields(command[1])
			row := outageRow{flags: map[string]bool{}, service: cells[1]}
			for _, word := range words[1:] {
				row.flags[word] = true
			}
			rows[words[0]] = append(rows[words[0]], row)
		}
	}
	return rows
}
