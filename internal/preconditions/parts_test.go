package preconditions

import (
	"strings"
	"testing"

	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// TestServesSplit: who cannot serve split users is named, router or object.
func TestServesSplit(t *testing.T) {
	both, none := []string{wire.PartLive, wire.PartSplit}, []string{}
	for name, c := range map[string]struct {
		object, router []string
		split          bool
		says           string // in the error; empty: none
		lacks, unasked string
	}{
		"everything":              {both, both, true, "", "", ""},
		"of before":               {nil, nil, true, "", "", ""},
		"of long before":          {nil, nil, false, "does not know split mode", "", ""},
		"no part":                 {none, none, false, "Durable Objects are mounted without", "live updates and split mode", ""},
		"an object without":       {none, both, false, "Durable Objects are mounted without", "live updates and split mode", ""},
		"a router without":        {both, none, false, "one of its routers is mounted without", "", "live updates and split mode"},
		"no router yet":           {both, nil, true, "whether its routers have split mode is not known", "", ""},
		"neither yet":             {none, nil, false, "Durable Objects are mounted without", "live updates and split mode", ""},
		"live updates only":       {both[:1], both[:1], false, "Durable Objects are mounted without", "split mode", ""},
		"live updates not routed": {both, both[1:], true, "", "", "live updates"},
	} {
		t.Run(name, func(t *testing.T) {
			hello := wire.Hello{
				Split:       c.split,
				Object:      &wire.ObjectReport{Answers: true, Parts: c.object},
				RouterParts: c.router,
			}
			err := ServesSplit(hello, "https://worker.test")
			if (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v, want %q", err, c.says)
			}
			if lacks, unasked := Unmounted(hello); lacks != c.lacks || unasked != c.unasked {
				t.Errorf("the objects lack %q and the router %q, want %q and %q", lacks, unasked, c.lacks, c.unasked)
			}
		})
	}
}
