package faultproxy

import (
	"regexp"
	"slices"
)

// composites is what hello says of the requests in which the Worker takes several steps.
var composites = regexp.MustCompile(`"composites":\[[^]]*\]`)

// SingleRequests shows a Worker that takes each step in a request of its own, so that a rule can act between
// any two steps. rule may be nil.
func SingleRequests(rule Rule) Rule {
	return func(r Request) (f Fault) {
		if rule != nil {
			f = rule(r)
		}
		if r.Name() == "admin hello" && f.Alter == nil {
			f.Alter = func(hello []byte) []byte { return composites.ReplaceAll(hello, []byte(`"composites":[]`)) }
		}
		return f
	}
}

// Claims says whether the request claims a user, alone or as the first of several steps.
func (r Request) Claims() bool {
	return slices.Contains([]string{"admin claim", "admin import", "admin return", "admin export"}, r.Name())
}
