package main

import (
	"strings"
	"testing"
)

// TestCtrlCSaysWhatWasDone: a command that changes nothing says so, unless a flag of it changes something,
// and selftest says what may be left.
func TestCtrlCSaysWhatWasDone(t *testing.T) {
	const nothing, atCloudflare = "nothing was changed", "nothing was changed at Cloudflare"
	for line, want := range map[string]string{
		"status": nothing, "verify": nothing, "history": nothing, "scan": atCloudflare, "scan --history-r2": "",
		"doctor": atCloudflare, "doctor --probe-writes": "", "runs": atCloudflare, "gc": atCloudflare, "gc --mark": "",
		"gc --confirm x": "", "gc --free-marked": "", "gc --unmark x": "", "migrate": "", "forget": "",
		"selftest": "what the probes wrote may still be there: `dbmigrate selftest --clean` removes it",
	} {
		words := strings.Fields(line)
		cmd, _, err := newRoot(&app{}).Find(words[:1])
		if err == nil {
			err = cmd.ParseFlags(words[1:])
		}
		if err != nil {
			t.Fatal(line, err)
		}
		if stopping, left := wordsOnStop(cmd); left != want || (stopping == "") != (want == "") {
			t.Errorf("%s says %q and %q, not %q", line, stopping, left, want)
		}
	}
}
