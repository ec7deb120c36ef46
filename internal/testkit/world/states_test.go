package world

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// TestStatesAreTheModels holds the table against the one that the model gives
// (docs/cutover/transitions.json).
func TestStatesAreTheModels(t *testing.T) {
	text, err := os.ReadFile("../../../docs/cutover/transitions.json")
	if err != nil {
		t.Fatal(err)
	}
	var model map[string]map[string]string
	if err := json.Unmarshal(text, &model); err != nil {
		t.Fatal(err)
	}
	for phase, row := range model {
		for message, next := range row {
			if got := leadsTo(userdb.Phase(phase), message); got != next {
				t.Errorf("%s in %s leads to %s here, and in the model to %s", message, phase, got, next)
			}
		}
	}
}

// leadsTo is the phase after a message that the model names, under the claim that its name says.
func leadsTo(phase userdb.Phase, message string) string {
	s := State{Phase: phase, Gen: 3, Lin: 2, Intent: wire.IntentMigrate}
	name, under, _ := strings.Cut(message, "-under-")
	if under != "" {
		s.Intent = wire.Intent(under)
	}
	var r rule
	switch {
	case name == "claim-conflict" || name == "stale-claim":
		return "refused" // the claim's number decides, before any table
	case strings.HasPrefix(name, "claim-"):
		r = s.claimRule(wire.Intent(strings.TrimPrefix(name, "claim-")))
	case name == "ready-other-digest":
		return "refused" // the digest decides
	case name == "reset-again":
		s.Lin = s.Gen.Lineage()
		r = s.rule(Reset)
	default:
		r = s.rule(Message(name))
		if name == "read" && phase == userdb.Sealed ||
			name == "cold-read" && (phase == userdb.SplitReady || phase == userdb.Merging) {
			return string(phase) // the answer travels inside the refusal
		}
	}
	if !r.ok {
		return "refused"
	}
	return string(s.after(r).Phase)
}
