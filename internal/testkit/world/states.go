package world

import (
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// Message is one that a Durable Object gets, by the name that docs/cutover/transitions.json gives it.
type Message string

// The messages with a rule for each phase.
const (
	Reset     Message = "reset"
	Schema    Message = "schema"
	Rows      Message = "rows"
	Finish    Message = "finish"
	Digest    Message = "digest"
	Ready     Message = "ready"
	Activate  Message = "activate"
	Merge     Message = "merge"
	Export    Message = "export"
	Release   Message = "release"
	Write     Message = "write"
	Read      Message = "read"
	ColdWrite Message = "cold-write"
	ColdRead  Message = "cold-read"
)

// State is what moves through the table.
type State struct {
	Phase  userdb.Phase
	Gen    userdb.Claim
	Lin    userdb.Lineage
	Intent wire.Intent
}

// rule is what a message does: the phase afterwards and whether the content goes. The zero value refuses.
type rule struct {
	ok, unchanged bool
	to            userdb.Phase
	wipe          bool // all content goes; an import then begins under the claim's lineage, EMPTY has none
	outcome       wire.Outcome
}

func goTo(p userdb.Phase) rule            { return rule{ok: true, to: p} }
func begin(p userdb.Phase) rule           { return rule{ok: true, to: p, wipe: true} }
func keep(s State) rule                   { return rule{ok: true, unchanged: true, to: s.Phase} }
func (r rule) with(o wire.Outcome) rule   { r.outcome = o; return r }
func (s State) is(p ...userdb.Phase) bool { return in(s.Phase, p) }

func in(phase userdb.Phase, phases []userdb.Phase) bool {
	for _, p := range phases {
		if p == phase {
			return true
		}
	}
	return false
}

// claimRule is the rule of a claim.
func (s State) claimRule(intent wire.Intent) rule {
	switch intent {
	case wire.IntentMigrate:
		switch {
		case s.is(userdb.Active):
			return keep(s).with(wire.OutcomeActive)
		case s.is(userdb.Sealed):
			return keep(s).with(wire.OutcomeResume)
		case s.is(userdb.Empty, userdb.Importing, userdb.Ready, userdb.Splitting):
			return begin(userdb.Importing).with(wire.OutcomeImport)
		}
	case wire.IntentSplit:
		switch {
		case s.is(userdb.Cold):
			return keep(s).with(wire.OutcomeActive)
		case s.is(userdb.SplitReady, userdb.ColdSealed, userdb.Merging):
			return keep(s).with(wire.OutcomeResume)
		case s.is(userdb.Empty, userdb.Importing, userdb.Ready, userdb.Splitting):
			return begin(userdb.Splitting).with(wire.OutcomeImport)
		}
	case wire.IntentRollback:
		switch {
		case s.is(userdb.Active, userdb.Sealed):
			return goTo(userdb.Sealed).with(wire.OutcomeExport)
		case s.is(userdb.Cold, userdb.ColdSealed):
			return goTo(userdb.ColdSealed).with(wire.OutcomeMerge)
		case s.is(userdb.Merging):
			return keep(s).with(wire.OutcomeMerge)
		case s.is(userdb.SplitReady):
			return keep(s).with(wire.OutcomeUndo)
		}
		return begin(userdb.Empty).with(wire.OutcomeLift)
	}
	return rule{}
}

// rule is the rule of any other message.
func (s State) rule(m Message) rule {
	splits, retreats := s.Intent == wire.IntentSplit, s.Intent == wire.IntentRollback
	importing := s.is(userdb.Importing, userdb.Splitting)
	switch m {
	case Reset:
		switch {
		case s.is(userdb.Importing, userdb.Sealed):
			return begin(userdb.Importing)
		case s.is(userdb.Splitting),
			splits && s.Lin != s.Gen.Lineage() && s.is(userdb.SplitReady, userdb.Merging):
			return begin(userdb.Splitting)
		}
	case Schema, Rows, Finish:
		return rule{ok: importing, to: s.Phase}
	case Digest:
		return rule{ok: !s.is(userdb.Empty), to: s.Phase}
	case Ready:
		switch {
		case s.is(userdb.Importing):
			return goTo(userdb.Ready)
		case s.is(userdb.Splitting):
			return goTo(userdb.SplitReady)
		case s.is(userdb.Ready, userdb.SplitReady):
			return keep(s)
		}
	case Activate:
		return s.activate()
	case Merge:
		if retreats && s.is(userdb.ColdSealed, userdb.Merging) {
			return goTo(userdb.Merging)
		}
	case Export:
		return rule{ok: !importing && !s.is(userdb.Empty), to: s.Phase}
	case Release:
		switch {
		case s.is(userdb.Empty):
			return keep(s)
		case s.is(userdb.Sealed), retreats && s.is(userdb.SplitReady, userdb.Merging):
			return begin(userdb.Empty)
		}
	case Write:
		return rule{ok: s.is(userdb.Active), to: s.Phase}
	case Read: // SEALED gives the answer beside its refusal
		return rule{ok: s.is(userdb.Active), to: s.Phase}
	case ColdWrite:
		return rule{ok: s.is(userdb.Cold), to: s.Phase}
	case ColdRead:
		return rule{ok: s.is(userdb.Cold, userdb.ColdSealed), to: s.Phase}
	}
	return rule{}
}

// activate is the rule of Activate.
func (s State) activate() rule {
	migrates, splits, retreats := s.Intent == wire.IntentMigrate, s.Intent == wire.IntentSplit, s.Intent == wire.IntentRollback
	switch {
	case migrates && s.is(userdb.Ready, userdb.Sealed):
		return goTo(userdb.Active)
	case migrates && s.is(userdb.Active),
		splits && s.is(userdb.Cold),
		retreats && s.is(userdb.ColdSealed):
		return keep(s)
	case splits && s.is(userdb.SplitReady, userdb.ColdSealed, userdb.Merging):
		return goTo(userdb.Cold)
	case retreats && s.is(userdb.SplitReady):
		return goTo(userdb.ColdSealed)
	}
	return rule{}
}

// after is the state that a rule leads to.
func (s State) after(r rule) State {
	s.Phase = r.to
	if r.wipe {
		s.Lin = s.Gen.Lineage()
		if r.to == userdb.Empty {
			s.Lin = 0
		}
	}
	return s
}
