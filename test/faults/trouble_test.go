package faults

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/testkit/effort"
	"github.com/dbmigrate/dbmigrate/internal/testkit/faultproxy"
)

// passing are troubles that pass: the command has to get over them.
func passing() []trouble {
	var all []trouble
	for _, where := range []string{bucket, flags, worker} {
		all = append(
			all,
			trouble{name: "429 with Retry-After", where: where, times: 1, fault: waitASecond(429)},
			trouble{name: "500", where: where, times: 2, fault: answers(500)},
			trouble{name: "503", where: where, times: 2, fault: answers(503)},
			trouble{
				name:  "reset before it arrives",
				where: where,
				times: 2,
				fault: faultproxy.Fault{Swallow: true},
			},
			trouble{
				name:  "reset after it arrived",
				where: where,
				times: 2,
				fault: faultproxy.Fault{Cut: true},
			},
			trouble{name: "half an answer", where: where, times: 2, fault: faultproxy.Fault{CutHalf: true}},
			trouble{
				name:  "slow answers",
				where: where,
				times: 2,
				fault: faultproxy.Fault{Drip: 300 * time.Millisecond},
			},
			trouble{
				name:  "arrives, but answers 500",
				where: where,
				times: 1,
				fault: faultproxy.Fault{Status: 500, Body: "oh"},
			},
			trouble{name: "arrives twice", where: where, times: 2, fault: faultproxy.Fault{Repeat: true}},
		)
	}
	return append(all,
		trouble{name: "429 without Retry-After", where: bucket, times: 1, fault: answers(429)},
		trouble{name: "429 without Retry-After", where: flags + " PUT", times: 1, fault: answers(429)},
		trouble{name: "429 without Retry-After", where: worker, times: 2, fault: answers(429)},
	)
}

// lasting are troubles that do not pass: the command stops.
func lasting() []trouble {
	var all []trouble
	for _, where := range []string{bucket, flags, worker, "R2 PUT", "KV PUT", "KV POST", "admin import", "admin switch", "admin export", "admin rows", "admin schema", "admin digest", "admin activate", "admin release"} {
		refusals := []string{"unauthorized", "protocol-error", "edge-blocked"}
		all = append(all,
			trouble{name: "login page", where: where, times: forever, fault: loginPage, stops: refusals},
			trouble{name: "redirect", where: where, times: forever, fault: redirect, stops: refusals})
	}
	return append(
		all,
		trouble{
			name:  "500 for ever",
			where: "R2 PUT",
			times: forever,
			fault: answers(500),
			stops: []string{"unreachable"},
		},
		trouble{
			name:  "truncated answer",
			where: flags,
			times: 2,
			fault: faultproxy.Fault{Truncate: true},
			stops: []string{"protocol-error", "unreachable"},
		},
		trouble{
			name:  "truncated answer",
			where: worker,
			times: 2,
			fault: faultproxy.Fault{Truncate: true},
			stops: []string{"protocol-error", "unreachable"},
		},
		trouble{
			name:  "truncated GET",
			where: "R2 GET",
			times: 1,
			from:  1,
			fault: faultproxy.Fault{Truncate: true},
			stops: []string{"protocol-error"},
		},
		trouble{
			name:  "truncated GET",
			where: "R2 GET",
			times: forever,
			fault: faultproxy.Fault{Truncate: true},
			stops: []string{"protocol-error", "unreachable"},
		},
		trouble{
			name:  "429 for ever",
			where: "admin ready",
			times: forever,
			fault: waitASecond(429),
			stops: []string{"throttled"},
		},
	)
}

// TestTroubleThatPasses: the command takes longer, and ends as if nothing had been.
func TestTroubleThatPasses(t *testing.T) { suffer(t, passing()) }

// TestTroubleThatLasts: the command stops, says why, and the same command ends it when the trouble is over.
func TestTroubleThatLasts(t *testing.T) { suffer(t, lasting()) }

func suffer(t *testing.T, troubles []trouble) {
	for _, tr := range effort.Some(t, "troubles", troubles, 4) {
		t.Run(strings.ReplaceAll(tr.where+" "+tr.name, " ", "_")+fmt.Sprint(tr.from), func(t *testing.T) {
			t.Parallel()
			team := newTeam(t, 2)
			var hits atomic.Int64
			mustSuffer(t, team, "migrate", "object", tr.rule(&hits), tr.stops)
			mustSuffer(t, team, "rollback", "file", tr.rule(&hits), tr.stops)
			if hits.Load() == 0 {
				t.Error("no request was hit")
			}
		})
	}
}
